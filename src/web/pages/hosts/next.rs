//! What to do next with a host, as its page says it. Not here: doing it.

use crate::actions::hosts::HostView;
use crate::domain::host::HostState;
use crate::web::ui::{Field, Form, SafeUrl, Way};

/// What to do next with a host.
#[derive(Default)]
pub struct Next {
    /// The way to the first running app.
    pub way: Option<Way>,
    /// What.
    pub title: String,
    /// More words to it.
    pub words: String,
    /// The button, where it is an act.
    pub form: Option<Form>,
    /// The page, where it is one.
    pub href: Option<SafeUrl>,
    /// The word on its link.
    pub verb: &'static str,
    /// Whether the host must be given Skiff's key first.
    pub with_key: bool,
}

impl Next {
    /// What to do next with this host; nothing where nobody has to.
    pub fn of(team: &str, id: &str, token: &str, view: &HostView) -> Option<Self> {
        if !view.may_manage {
            return None;
        }
        let act = |what: &str, verb: &str| {
            Some(Form::act(SafeUrl::path(["t", team, "hosts", id, what]), token, verb, "primary"))
        };
        let waits = |seen: &str, pinned: &str| !seen.is_empty() && seen != pinned;
        let idle = view.line.busy.is_none();
        let new = view.line.state == HostState::New;
        let unknown_jump = !view.jump.is_empty() && view.jump_host_key.is_empty();
        let unknown = view.host_key.is_empty() || unknown_jump;
        let way = new.then(|| Way::new(1));
        if waits(&view.jump_key_seen, &view.jump_host_key) {
            Some(confirm(team, id, token, view, &Shown::of_jump(view)))
        } else if waits(&view.host_key_seen, &view.host_key) {
            Some(confirm(team, id, token, view, &Shown::of_host(view)))
        } else if (new || unknown_jump) && unknown && view.looking {
            let whose = if unknown_jump { "jump host" } else { "server" };
            Some(Self {
                way,
                title: format!("Skiff looks at the {whose}'s key"),
                words: "You compare it and confirm it, before anything is sent there.".to_owned(),
                with_key: new,
                ..Self::default()
            })
        } else if (new || unknown_jump) && unknown && !view.loopback && idle {
            let whose = if unknown_jump { "jump host" } else { "server" };
            Some(Self {
                way,
                title: format!("Then look at the {whose}'s key"),
                words: format!(
                    "Skiff asks the {whose} for its host key and sends nothing. You compare it and confirm it."
                ),
                form: act("look", "Look at its key"),
                with_key: new,
                ..Self::default()
            })
        } else if new && idle {
            Some(Self {
                way,
                title: "Then make it ready".to_owned(),
                words: "Skiff installs what is missing (Docker, HAProxy), makes its network and folders, and leaves everything else alone.".to_owned(),
                form: act("provision", "Make ready"),
                with_key: true,
                ..Self::default()
            })
        } else if view.line.state == HostState::Ready && view.instances.is_empty() {
            Some(Self {
                way: Some(Way::new(2)),
                title: "Ready for an app".to_owned(),
                words: "Make an app and deploy it to this host.".to_owned(),
                href: Some(SafeUrl::path(["t", team, "apps", "new"])),
                verb: "New app",
                ..Self::default()
            })
        } else {
            None
        }
    }
}

/// A key that was shown and that nobody has confirmed.
struct Shown<'a> {
    whose: &'static str,
    seen: &'a str,
    kind: &'a str,
    pinned: &'a str,
    line: &'static str,
    verb: &'static str,
}

impl<'a> Shown<'a> {
    fn of_host(view: &'a HostView) -> Self {
        Self {
            whose: "server",
            seen: &view.host_key_seen,
            kind: &view.host_key_seen_kind,
            pinned: &view.host_key,
            line: view.host_key_line,
            verb: "Confirm and make ready",
        }
    }

    fn of_jump(view: &'a HostView) -> Self {
        Self {
            whose: "jump host",
            seen: &view.jump_key_seen,
            kind: &view.jump_key_seen_kind,
            pinned: &view.jump_host_key,
            line: view.jump_key_line,
            verb: "Confirm the jump host's key",
        }
    }
}

fn confirm(team: &str, id: &str, token: &str, view: &HostView, shown: &Shown<'_>) -> Next {
    let action = SafeUrl::path(["t", team, "hosts", id, "key"]);
    let seen = Field::hidden("host_key", shown.seen);
    let whose = shown.whose;
    let compare = format!("On the {whose}, {} prints the same if it is the right one.", shown.line);
    if shown.pinned.is_empty() {
        let kind = if shown.kind.is_empty() { String::new() } else { format!("Kind: {}. ", shown.kind) };
        return Next {
            way: (view.line.state == HostState::New).then(|| Way::new(1)),
            title: format!("The {whose} shows the key {}", shown.seen),
            words: format!("{kind}{compare}"),
            form: Some(Form::new(action, token, shown.verb, vec![seen]).inline()),
            // The key is used as soon as it is confirmed.
            with_key: view.line.state == HostState::New,
            ..Next::default()
        };
    }
    let name = Field::text("name", format!("Type {} to accept it", view.line.name)).exactly(&view.line.name);
    Next {
        title: format!("The {whose} shows another key: {}", shown.seen),
        words: format!(
            "Pinned is {}. Skiff signs in no more until somebody accepts the new one. If nobody reinstalled the {whose}, \
             somebody may stand in between: do not accept it. {compare}",
            shown.pinned
        ),
        form: Some(Form::new(action, token, "Accept this key", vec![seen, name]).style("danger")),
        ..Next::default()
    }
}
