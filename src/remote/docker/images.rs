//! Images: looked for, pulled, named, sent and taken as archives, removed by name.

use bollard::auth::DockerCredentials;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ImportImageOptionsBuilder, PushImageOptionsBuilder, RemoveImageOptionsBuilder,
    TagImageOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

use super::seen::ImageSeen;
use super::{Docker, fault};
use crate::domain::container::Login;
use crate::domain::names::{ImageId, ImageRef};
use crate::remote::error::{Error, detail};

/// Docker tells of a pull's progress several times a second; unpacking one huge layer may be silent for a while.
pub const STILL_LIMIT: Duration = Duration::from_secs(300);

/// An image by its name or by its id.
#[derive(Clone, Copy, Debug)]
pub enum ImageName<'a> {
    /// By name.
    Ref(&'a ImageRef),
    /// By id.
    Id(&'a ImageId),
}

impl<'a> From<&'a ImageRef> for ImageName<'a> {
    fn from(name: &'a ImageRef) -> Self {
        Self::Ref(name)
    }
}

impl<'a> From<&'a ImageId> for ImageName<'a> {
    fn from(id: &'a ImageId) -> Self {
        Self::Id(id)
    }
}

impl<'a> ImageName<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Ref(name) => name.as_ref(),
            Self::Id(id) => id.as_ref(),
        }
    }
}

/// A step of a pull, as Docker tells it: hostile text, cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullProgress {
    /// The layer's short id, or the tag; may be empty.
    pub layer: String,
    /// "Downloading", "Pull complete" …
    pub status: String,
    /// Bytes done of the layer.
    pub done: u64,
    /// Bytes of the layer, 0 where unknown.
    pub total: u64,
}

impl Docker {
    /// The image, if it is on the host.
    pub async fn image(&self, name: impl Into<ImageName<'_>>) -> Result<Option<ImageSeen>, Error> {
        match self.call("Looking for an image", self.api.inspect_image(name.into().text())).await {
            Ok(seen) => ImageSeen::read(seen).map(Some),
            Err(Error::NoSuchImage { .. } | Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fetches an image by name: its digest where one is written, else its tag, else `latest`. Once more where the name
    /// was taken away again before it could be looked at: another pull of the same image ended then.
    pub async fn pull(
        &self,
        name: &ImageRef,
        login: Option<&Login>,
        on_progress: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<ImageSeen, Error> {
        self.fetch(name, login, on_progress).await?;
        if let Some(seen) = self.image(name).await? {
            return Ok(seen);
        }
        self.fetch(name, login, on_progress).await?;
        self.image(name).await?.ok_or_else(|| Error::NoSuchImage { detail: name.to_string() })
    }

    async fn fetch(
        &self,
        name: &ImageRef,
        login: Option<&Login>,
        on_progress: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<(), Error> {
        const WHAT: &str = "Pulling an image";
        let version = name.digest().or(name.tag()).unwrap_or("latest");
        let options = CreateImageOptionsBuilder::default().from_image(name.repository()).tag(version).build();
        let credentials = login.map(|login| credentials(name, login));
        let mut pulling = Box::pin(self.api.create_image(Some(options), None, credentials));
        while let Some(step) = timeout(STILL_LIMIT, pulling.next())
            .await
            .map_err(|_| Error::TimedOut { what: WHAT, after: STILL_LIMIT })?
        {
            let step = match step {
                Ok(step) => step,
                Err(error) => return Err(self.fault(WHAT, STILL_LIMIT, error).await),
            };
            if let Some(words) = step.error_detail.and_then(|error| error.message) {
                return Err(fault::words(&words));
            }
            let bytes = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            let (done, total) = step.progress_detail.map_or((0, 0), |p| (bytes(p.current), bytes(p.total)));
            let (layer, status) = (detail(step.id.unwrap_or_default()), detail(step.status.unwrap_or_default()));
            on_progress(PullProgress { layer, status, done, total });
        }
        Ok(())
    }

    /// Sends an image to the registry in its name, but for the layers that are there already.
    pub async fn push(&self, name: &ImageRef, login: &Login) -> Result<(), Error> {
        const WHAT: &str = "Pushing an image";
        let options = PushImageOptionsBuilder::default().tag(name.tag().unwrap_or("latest")).build();
        let mut pushing =
            Box::pin(self.api.push_image(name.repository(), Some(options), Some(credentials(name, login))));
        while let Some(step) = timeout(STILL_LIMIT, pushing.next())
            .await
            .map_err(|_| Error::TimedOut { what: WHAT, after: STILL_LIMIT })?
        {
            if let Err(error) = step {
                return Err(match self.fault(WHAT, STILL_LIMIT, error).await {
                    Error::Refused { detail } => fault::words(&detail),
                    other => other,
                });
            }
        }
        Ok(())
    }

    /// Gives an image another name on this host.
    pub async fn tag(&self, from: impl Into<ImageName<'_>>, to: &ImageRef) -> Result<(), Error> {
        let options = TagImageOptionsBuilder::default().repo(to.repository()).tag(to.tag().unwrap_or("latest")).build();
        self.call("Naming an image", self.api.tag_image(from.into().text(), Some(options))).await
    }

    /// Takes a name away; Docker removes the image with its last name, never one that a container uses. Its untagged
    /// parents stay. False where it was gone already.
    pub async fn untag(&self, name: &ImageRef) -> Result<bool, Error> {
        let options = RemoveImageOptionsBuilder::default().force(false).noprune(true).build();
        match self.call("Removing an image's name", self.api.remove_image(name.as_ref(), Some(options), None)).await {
            Ok(_) => Ok(true),
            Err(Error::NoSuchImage { .. } | Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes images in from an archive (`docker save`'s form).
    pub async fn load<E>(&self, archive: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Result<(), Error>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        const WHAT: &str = "Loading an image";
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let mut loading = Box::pin(self.api.import_image_stream(options, archive, None));
        while let Some(step) = loading.next().await {
            let step = match step {
                Ok(step) => step,
                Err(error) => return Err(self.fault(WHAT, STILL_LIMIT, error).await),
            };
            if let Some(words) = step.error_detail.and_then(|error| error.message) {
                return Err(fault::words(&words));
            }
        }
        Ok(())
    }

    /// The image as an archive, at the reader's pace: it has a connection of its own, so that a slow reader stops
    /// nothing else.
    pub fn save(&self, name: ImageName<'_>) -> Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>> {
        let archive = self.apart().api.export_image(name.text());
        Box::pin(archive.map(|piece| piece.map_err(|error| fault::of("Saving an image", STILL_LIMIT, error))))
    }
}

/// A login as the library wants it.
fn credentials(name: &ImageRef, login: &Login) -> DockerCredentials {
    DockerCredentials {
        username: Some(login.user.clone()),
        password: Some(login.password.expose().clone()),
        serveraddress: registry(name).map(str::to_owned),
        ..Default::default()
    }
}

/// The registry in an image's name, if one is written.
fn registry(name: &ImageRef) -> Option<&str> {
    let (first, _) = name.repository().split_once('/')?;
    (first.contains(['.', ':']) || first == "localhost").then_some(first)
}
