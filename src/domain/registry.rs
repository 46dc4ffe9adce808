//! The way of images between hosts: the registry of the host that builds, and the ports where the others find it on their own
//! loopback while an image travels.

use super::names::ImageRef;

/// Where a building host's registry listens, on loopback alone.
pub const PORT: u16 = 7071;
/// Where other hosts find it while they fetch: on loopback too, for Docker asks there for no certificate. The first that is
/// free; a second deploy may be fetching at the same moment.
pub const MIRRORS: [u16; 6] = [7072, 7073, 7074, 7075, 7076, 7077];
/// The one user of a registry.
pub const USER: &str = "skiff";

/// The name of one of our images in the registry on this port of a host's loopback.
pub fn name_at(port: u16, image: &ImageRef) -> Option<ImageRef> {
    format!("127.0.0.1:{port}/{}:{}", image.repository(), image.tag()?).parse().ok()
}

/// Why one image does not run on all of these hosts, by name and architecture. What is not known is not judged.
pub fn misfit(image: Option<&str>, hosts: &[(&str, &str)]) -> Option<String> {
    let known = hosts.iter().filter(|(_, arch)| !arch.is_empty());
    let image = image.filter(|arch| !arch.is_empty());
    let made_for = image.or_else(|| known.clone().next().map(|(_, arch)| *arch))?;
    let (name, arch) = known.clone().find(|(_, arch)| *arch != made_for)?;
    Some(match image {
        Some(image) => format!(
            "The image is made for {image}, and {name} is {arch}: it does not run there. Place the app on hosts of {image}, or build it on a host of {arch}."
        ),
        None => {
            let (other, made_for) = known.clone().find(|(_, arch)| *arch == made_for)?;
            format!(
                "{other} is {made_for} and {name} is {arch}: one image does not run on both. Place the app on hosts of one kind, or make an app for each."
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_its_name_behind_the_registry_s() {
        let image: ImageRef = "skiff/0123:b-4567".parse().unwrap();
        assert_eq!(name_at(7072, &image).unwrap().to_string(), "127.0.0.1:7072/skiff/0123:b-4567");
        assert!(!MIRRORS.contains(&PORT));
    }

    #[test]
    fn what_does_not_fit_is_said_and_what_is_not_known_is_not_judged() {
        let hosts = [("fra-1", "amd64"), ("arm-1", "arm64"), ("new", "")];
        assert_eq!(misfit(Some("amd64"), &[hosts[0], hosts[2]]), None);
        assert_eq!(misfit(None, &[hosts[0], hosts[2]]), None);
        assert_eq!(misfit(Some(""), &[hosts[2]]), None);
        assert!(misfit(Some("amd64"), &hosts).unwrap().starts_with("The image is made for amd64, and arm-1 is arm64"));
        assert!(misfit(None, &hosts).unwrap().starts_with("fra-1 is amd64 and arm-1 is arm64"));
    }
}
