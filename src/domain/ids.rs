//! Identities. Every row has a UUID of version 7 (RFC 9562), made by the caller, never by the database.

/// Declares an identity newtype over a UUID.
macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }

        impl $name {
            /// The 32 hex digits without hyphens: the form used in names on hosts.
            pub fn simple(&self) -> String {
                self.0.simple().to_string()
            }
        }
    )+};
}

ids! {
    /// A person who can sign in. Belongs to the panel, not to a team.
    AccountId;
    /// A team: the owner of everything below it.
    TeamId;
    /// One account's place in one team.
    MemberId;
    /// A server reached by SSH.
    HostId;
    /// A project: a set of environments.
    ProjectId;
    /// An environment of a project (dev, stage, prod).
    EnvironmentId;
    /// One service.
    AppId;
    /// Where an app's code or image comes from.
    SourceId;
    /// One run of a build.
    BuildId;
    /// An immutable image + configuration + secret versions.
    ReleaseId;
    /// One attempt to make a release current.
    DeployId;
    /// Something done later.
    JobId;
    /// One container of a release on a host, as our ledger knows it.
    InstanceId;
    /// A named volume.
    VolumeId;
    /// A sealed value.
    SecretId;
    /// A certificate that is wanted for some names.
    AcmeOrderId;
    /// An account with whoever keeps domains.
    DnsAccountId;
    /// A domain and path that lead to an app.
    RouteId;
    /// A bridge network on a host.
    NetworkId;
    /// A line of the audit.
    AuditEventId;
    /// An invitation to a team.
    InvitationId;
    /// A hook that a forge calls; stands in its address.
    HookId;
    /// One call of a hook.
    DeliveryId;
    /// A bearer token of the API.
    TokenId;
    /// Where a team is told what happened.
    ChannelId;
    /// Something that happened and is told.
    NoticeEventId;
    /// One notice to one receiver.
    NoticeId;
    /// Trouble that was told.
    AlertId;
    /// A certificate, whichever version of it is served.
    CertificateId;
}
