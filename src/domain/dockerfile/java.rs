//! Java and what else becomes a jar: by Maven or Gradle, on a runtime of the same version.

use super::checked::Version;
use super::text::{Making, unknown};
use super::{Files, Language, Recognised, bases};

/// Recognises it by a `pom.xml` or a `build.gradle`.
pub fn look(files: &Files, port: Option<u16>) -> Recognised {
    let sign = files.first(&["pom.xml", "build.gradle.kts", "build.gradle"])?;
    let maven = sign == "pom.xml";
    let text = files.text(sign).unwrap_or_default();
    let mut making = Making::new(vec![sign.to_owned()]);
    if maven && text.contains("<modules>") {
        return unknown("The pom.xml has modules. Write a Dockerfile that builds the module that is meant.");
    }
    let wanted = version(files, text, maven, &mut making);
    let base = if maven { &bases::MAVEN } else { &bases::GRADLE }.choose(wanted.as_ref());
    making.doubt(base.uncertain.clone());
    let quarkus = text.contains("io.quarkus");
    let spring = text.contains("org.springframework.boot");
    making.line(format!("FROM {} AS build", base.build)).lines(["WORKDIR /src", "COPY . ."]);
    let built = if maven { "target" } else { "build/libs" };
    if maven {
        making.line("RUN --mount=type=cache,target=/root/.m2/repository mvn --batch-mode --no-transfer-progress -DskipTests package");
    } else {
        let task = if spring { "bootJar" } else { "assemble" };
        making.line(format!(
            "RUN --mount=type=cache,target=/home/gradle/.gradle/caches gradle --no-daemon --console=plain {task}"
        ));
    }
    if quarkus {
        let home = if maven { "target" } else { "build" };
        making.because("Quarkus").line(format!("RUN mv {home}/quarkus-app /app"));
    } else {
        let ending = if maven && text.contains("<packaging>war<") { "war" } else { "jar" };
        making
            .line(format!("RUN rm -f {built}/original-* {built}/*-plain.* {built}/*-sources.* {built}/*-javadoc.* \\"));
        making.line(format!("    && mkdir /app && cp {built}/*.{ending} /app/app.jar"));
    }
    if spring {
        making.because("Spring Boot");
    } else if !quarkus {
        making.doubt(
            "The jar must be one that java -jar starts: with its main class in the manifest and its libraries inside."
                .to_owned(),
        );
    }
    let [before, behind] = bases::JRE;
    making.line("").line(format!("FROM {before}{}{behind}", base.version)).user();
    making.lines(["WORKDIR /app", "COPY --from=build /app ./"]).run_as(None);
    let further: &[&str] = match (spring, quarkus) {
        (true, _) => &["SERVER_PORT"],
        (false, true) => &["QUARKUS_HTTP_PORT"],
        (false, false) => &[],
    };
    making.listens(port, further);
    if let Some(port) = port.filter(|_| further.is_empty()) {
        making.doubt(format!("The program must listen at the port that PORT says ({port}), on all addresses."));
    }
    let jar = if quarkus { "quarkus-run.jar" } else { "app.jar" };
    making.start(&["java", "-XX:MaxRAMPercentage=75", "-jar", jar]);
    making.end(Language::Java)
}

/// The version that is asked for, and where.
fn version(files: &Files, text: &str, maven: bool, making: &mut Making) -> Option<Version> {
    const MAVEN: [&str; 5] = [
        "<java.version>",
        "<maven.compiler.release>",
        "<release>",
        "<maven.compiler.target>",
        "<maven.compiler.source>",
    ];
    const GRADLE: [&str; 4] =
        ["JavaLanguageVersion.of(", "jvmToolchain(", "sourceCompatibility", "targetCompatibility"];
    let words: &[&str] = if maven { &MAVEN } else { &GRADLE };
    // What stands behind the word on its line: `1.8` is what people call 8.
    let behind = |word: &&str| text.split_once(*word).and_then(|(_, rest)| rest.lines().next());
    let named = files.text("system.properties").and_then(|text| text.split_once("java.runtime.version"));
    let found = words.iter().filter_map(behind).chain(named.map(|(_, text)| text)).find_map(Version::within)?;
    let version = found.as_ref().strip_prefix("1.").and_then(|rest| rest.parse().ok()).unwrap_or(found);
    making.because(format!("Java {version}"));
    Some(version)
}
