//! The real nginx on a machine, with a page and an access log of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use crate::lab::machine::Machine;
use crate::lab::namespace::{Namespace, run, run_script};
use crate::lab::{Demands, eventually, files, sandbox, web};

/// The programs that these tests run, and where they come from.
const PROGRAMS: [(&str, &str); 5] = [
    ("nginx", "package nginx-light on Debian, nginx on Fedora"),
    ("ping", "iputils-ping, iputils"),
    ("curl", "curl"),
    ("logger", "bsdutils, util-linux"),
    ("nft", "nftables"),
];

/// What these tests need.
pub const DEMANDS: Demands = Demands {
    possible: || {
        sandbox::possible()?;
        let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Path::new);
        let is_missing = |name: &str| !folders.iter().any(|folder| folder.join(name).exists());
        match PROGRAMS.iter().find(|(name, _)| is_missing(name)) {
            Some((name, package)) => Err(format!("there is no {name} ({package})")),
            None => Ok(()),
        }
    },
    at_once: 4,
};

/// As a script of `resource.d` has it: nginx in a process group of its own.
const SCRIPT: &str = r#"#!/bin/sh
own=OWN
pid=$(cat "$own/nginx/pid" 2>/dev/null)
runs() { [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }
case "$1" in
start)
    runs && exit 0
    rm -f "$own/nginx/pid"
    /usr/sbin/nginx -e "$own/nginx/error" -c "$own/nginx/conf" || exit 1
    while ! [ -s "$own/nginx/pid" ]; do sleep 0.05; done ;; # it returns before it has written it
stop)
    while runs; do
        kill -TERM "$pid" # one that comes while it starts is forgotten
        sleep 0.1
    done ;;
status)
    if runs; then echo "nginx is running"; else echo "nginx is stopped"; exit 3; fi ;;
esac
"#;

/// Gives a machine an nginx that answers with this page, and a script for it in `resource.d`. It does not run yet.
pub fn install(machine: &Machine, page: &str) {
    let own = machine.file("");
    let own = own.display().to_string();
    let own = own.trim_end_matches('/');
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {own}/nginx/{kind}; "))
        .concat();
    let text = format!(
        "pid {own}/nginx/pid; worker_processes 1; user root; events {{ }}\n\
         http {{ access_log {own}/nginx/access; {temporary}\n\
         server {{ listen 80; root {own}/html; index index.html; }} }}\n"
    );
    for directory in ["nginx", "html"] {
        std::fs::create_dir_all(machine.file(directory)).expect("our own file system");
    }
    files::write(&machine.file("nginx/conf"), &text, 0o644);
    files::write(
        &machine.file("html/index.html"),
        &format!("{page}\n"),
        0o644,
    );
    let script = SCRIPT.replace("OWN", own);
    files::write(&machine.file("ha.d/resource.d/nginx"), &script, 0o755);
}

/// Starts it by hand.
pub fn start(machine: &Machine) {
    let script = machine.file("ha.d/resource.d/nginx");
    machine
        .namespace
        .within(|| drop(run(&script.display().to_string(), &["start"])));
}

/// Ends it as a crash would.
pub fn kill(machine: &Machine) {
    run_script(&format!(
        "kill -KILL -$(cat {})",
        machine.file("nginx/pid").display()
    ));
}

/// Whether it runs there.
pub fn runs(machine: &Machine) -> bool {
    let script = machine.file("ha.d/resource.d/nginx");
    let script = script.display();
    let status = format!("{script} status || true");
    let said = machine
        .namespace
        .within(|| run("sh", &["-c", &status]).stdout);
    String::from_utf8_lossy(&said).contains("is running")
}

/// The page that somebody gets from an address.
pub fn page(client: &Namespace, address: Ipv4Addr) -> Option<String> {
    client.within(|| web::ask(SocketAddr::from((address, 80)), Duration::from_secs(1)))
}

/// Waits until the address answers with this page.
#[track_caller]
pub fn expect_page(client: &Namespace, address: Ipv4Addr, wanted: &str) {
    eventually(&format!("{address} answers {wanted:?}"), || {
        page(client, address).as_deref() == Some(wanted)
    });
}

/// How many requests stand in the access log.
pub fn requests(machine: &Machine) -> usize {
    let text = std::fs::read_to_string(machine.file("nginx/access"));
    text.unwrap_or_default().lines().count()
}
