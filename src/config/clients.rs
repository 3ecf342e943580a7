//! The directives about other programs: `respawn`, `failfast`, `env` and `apiauth`.

use std::path::PathBuf;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::{Directive, Statement};
use super::settings::Settings;
use super::source::{Place, Word};
use super::{ApiAuth, Respawn};

/// `respawn USER COMMAND [ARGUMENTS]` and `failfast`.
pub(super) fn client(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let Some(user) = statement.words.first() else {
        return;
    };
    let mut sound = true;
    if user.text.starts_with('/') {
        let error = Diagnostic::error(&user.place, format!("`{}` lacks its user", directive.name));
        out.push(error.label(format!(
            "write `{} hacluster {}`",
            directive.name, statement.rest
        )));
        return;
    }
    if user.text.bytes().all(|byte| byte.is_ascii_digit()) {
        let error = Diagnostic::error(&user.place, format!("bad user `{}`", user.text));
        out.push(error.label("the name of a user is expected, not a number"));
        sound = false;
    }
    let Some(command) = statement.words.get(1) else {
        let error = Diagnostic::error(
            &user.place,
            format!("`{}` lacks its command", directive.name),
        );
        // `hacluster/usr/lib64/heartbeat/ipfail`: a page that lost its blanks.
        out.push(match user.text.split_once('/') {
            Some((name, path)) => {
                error.label(format!("did you mean `{} {name} /{path}`?", directive.name))
            }
            None => error.label("the path of a program is missing after this"),
        });
        return;
    };
    if !command.text.starts_with('/') {
        let message = format!("`{}` is not a full path", command.text);
        out.push(Diagnostic::error(&command.place, message).label("must begin with `/`"));
        sound = false;
    }
    if sound {
        let after = statement.rest.trim_start();
        let after = after
            .strip_prefix(user.text.as_str())
            .unwrap_or(after)
            .trim_start();
        let arguments = after
            .strip_prefix(command.text.as_str())
            .unwrap_or_default();
        let client = Respawn {
            user: user.text.clone(),
            program: PathBuf::from(&command.text),
            arguments: arguments.trim().to_owned(),
            failfast: directive.name == "failfast",
        };
        let places = [user.place.clone(), command.place.clone()];
        settings.respawn.push((client, places));
    }
}

/// `apiauth CLIENT [uid=LIST] [gid=LIST]`.
pub(super) fn apiauth(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let Some((client, lists)) = statement.words.split_first() else {
        return;
    };
    let shape = format!(
        "the line is `{} {}`; a LIST has commas and no blanks",
        directive.name, directive.syntax
    );
    let mut entry = ApiAuth {
        client: client.text.clone(),
        users: Vec::new(),
        groups: Vec::new(),
    };
    let mut sound = true;
    let mut refuse = |place: &Place, message: String, label: &str| {
        out.push(
            Diagnostic::error(place, message)
                .label(label)
                .help(shape.as_str()),
        );
        sound = false;
    };
    if client.text.len() > 31 {
        refuse(
            &client.place,
            "client name is too long".into(),
            "more than 31 characters",
        );
    }
    for word in lists {
        let (kind, names) = word.text.split_once('=').unwrap_or(("", ""));
        let list = match kind {
            "uid" => &mut entry.users,
            "gid" => &mut entry.groups,
            _ => {
                let label = "`uid=LIST` or `gid=LIST` is expected";
                refuse(&word.place, format!("unexpected `{}`", word.text), label);
                continue;
            }
        };
        if !list.is_empty() {
            refuse(
                &word.place,
                format!("two lists of `{kind}`"),
                "the second one",
            );
        }
        // One comma too many at the end does no harm in heartbeat 3.0.6 either.
        let names = names.strip_suffix(',').unwrap_or(names);
        if names.split(',').any(str::is_empty) {
            refuse(
                &word.place,
                format!("empty name in a list of `{kind}`"),
                "a name is missing",
            );
            continue;
        }
        list.extend(names.split(',').map(str::to_owned));
    }
    if lists.is_empty() {
        let message = format!("nobody may be client `{}`", client.text);
        refuse(
            &client.place,
            message,
            "`uid=` or `gid=` is missing after this",
        );
    }
    if !sound {
        return;
    }
    match settings.apiauth.get(&entry.client) {
        Some((other, _)) if *other == entry => {}
        Some((_, first)) => {
            let message = format!("two different lines for client `{}`", client.text);
            let error = Diagnostic::error(&client.place, message);
            out.push(error.label("the second one").related(first, "first here"));
        }
        None => {
            let named = (entry, client.place.clone());
            settings.apiauth.insert(client.text.clone(), named);
        }
    }
}

/// Who may be a client that the file says nothing about.
pub(super) fn built_in_apiauth() -> [ApiAuth; 5] {
    let entry = |client: &str, users: &[&str], groups: &[&str]| ApiAuth {
        client: client.to_owned(),
        users: users.iter().map(ToString::to_string).collect(),
        groups: groups.iter().map(ToString::to_string).collect(),
    };
    [
        entry("ipfail", &["hacluster"], &[]),
        entry("ccm", &["hacluster"], &[]),
        entry("ping", &[], &["haclient"]),
        entry("lha-snmpagent", &["root"], &[]),
        entry("anon", &["root"], &["haclient"]),
    ]
}

/// One `NAME=VALUE` after `env`.
pub(super) fn env(
    settings: &mut Settings,
    _directive: &'static Directive,
    word: &Word,
    out: &mut Diagnostics,
) {
    match word.text.split_once('=') {
        Some(("", _)) => {
            let error =
                Diagnostic::error(&word.place, format!("bad value `{}` for `env`", word.text));
            out.push(error.label("the name before `=` is missing"));
        }
        Some((name, value)) => settings.env.push((name.to_owned(), value.to_owned())),
        None => {
            let warning =
                Diagnostic::warning(&word.place, format!("odd value `{}` for `env`", word.text));
            out.push(warning.label("no `=`; the variable will be empty"));
            settings.env.push((word.text.clone(), String::new()));
        }
    }
}
