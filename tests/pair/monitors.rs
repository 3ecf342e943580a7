//! Services that stop working although their machine lives: nginx behind the floating address.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::namespace::run_script;
use crate::lab::{Demands, Pair, Setup, claim_with, eventually, files, sandbox, web};

const DEMANDS: Demands = Demands {
    possible: || {
        sandbox::possible()?;
        if Path::new("/usr/sbin/nginx").exists() {
            Ok(())
        } else {
            Err("there is no nginx (package nginx-light on Debian, nginx on Fedora)".to_owned())
        }
    },
    at_once: 2,
};

/// Starts and stops the nginx of its machine, whose master leads a process group.
const SCRIPT: &str = r#"#!/bin/sh
own=$(cd "$(dirname "$0")/../.." && pwd)
pid=$(cat "$own/nginx/pid" 2>/dev/null)
runs() { [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; }
case "$1" in
start)
    [ -e "$own/nginx/spoiled" ] && exit 1
    runs || /usr/sbin/nginx -e "$own/nginx/error" -c "$own/nginx/conf" ;;
stop)
    runs && kill -KILL -"$pid"
    while runs; do sleep 0.05; done
    rm -f "$own/nginx/pid" ;;
status)
    if runs; then echo running; else echo stopped; exit 3; fi ;;
esac
"#;

/// Has nginx answer like this from now on.
fn answers(machine: &Machine, answer: &str) {
    let own = machine.file("nginx");
    let own = own.display();
    let text = format!(
        "pid {own}/pid; worker_processes 1; user root; events {{ }}\n\
         http {{ access_log off; client_body_temp_path {own}/body; proxy_temp_path {own}/proxy; \
         fastcgi_temp_path {own}/fastcgi; uwsgi_temp_path {own}/uwsgi; scgi_temp_path {own}/scgi; server {{ listen 80; return {answer}; }} }}\n"
    );
    files::write(&machine.file("nginx/conf"), &text, 0o644);
    run_script(&format!("! [ -e {own}/pid ] || kill -HUP $(cat {own}/pid)"));
}

/// A pair whose group is the address and nginx, which answers with its node's name; the first node serves.
fn web_pair(more: &'static str) -> Pair {
    let mut pair = Pair::alone(Setup {
        groups: vec!["alpha IPaddr::10.77.1.100/24/eth0 nginx".to_owned()],
        more,
        ..Setup::default()
    });
    for machine in [&pair.a, &pair.b] {
        std::fs::create_dir(machine.file("nginx")).expect("our own file system");
        answers(machine, &format!("200 \"{} is up\\n\"", machine.name));
        files::write(&machine.file("ha.d/resource.d/nginx"), SCRIPT, 0o755);
    }
    pair.serve_on_a();
    expect_page(&pair, "alpha is up");
    pair
}

/// Waits until the address answers so, seen from the second machine.
#[track_caller]
fn expect_page(pair: &Pair, page: &str) {
    let address = SocketAddr::from((pair.address(), 80));
    eventually(&format!("the page is {page:?}"), || {
        let asked = || web::ask(address, Duration::from_secs(1));
        pair.b.namespace.within(asked).as_deref() == Some(page)
    });
}

fn kill_nginx(machine: &Machine) {
    run_script(&format!(
        "kill -KILL -$(cat {})",
        machine.file("nginx/pid").display()
    ));
}

#[test]
fn nginx_that_died_is_started_again_here_and_then_serves_from_the_peer() {
    claim_with(&DEMANDS, || {
        let pair = web_pair("monitor nginx every=300ms fall=2 restarts=1 tcp=127.0.0.1:80\n");
        let begin = pair.marks()[0];
        kill_nginx(&pair.a);
        pair.a.log().expect(begin, "is started again here (1 of 1)");
        expect_page(&pair, "alpha is up");
        assert_eq!(pair.watch.moves(pair.address()), 1, "nothing has moved");
        eventually("the monitor is content", || {
            monitors_of(&pair.a) == (Some(true), 0, 1)
        });
        kill_nginx(&pair.a);
        expect_page(&pair, "beta is up");
        pair.a
            .log()
            .expect(begin, "does not work here; it is left to the other node.");
        pair.assert_never_two_owners();
    });
}

#[test]
fn nginx_that_works_on_neither_node_moves_once_and_stays() {
    claim_with(&DEMANDS, || {
        let pair =
            web_pair("monitor nginx every=300ms restarts=0 http=http://127.0.0.1/ body=up\n");
        answers(&pair.a, "200 \"out of order\\n\"");
        expect_page(&pair, "beta is up");
        pair.a
            .log()
            .expect(Mark::START, "the page does not contain up");
        answers(&pair.b, "500 \"\"");
        let told = pair.b.log().expect(
            Mark::START,
            "does not work here; it stays: the other node can't take it now, or has failed with it too.",
        );
        assert!(told.contains("CRIT"), "{told}");
        pair.assert_stays(1, Duration::from_secs(5));
        answers(&pair.b, "200 \"beta is up again\\n\"");
        pair.b.log().expect(Mark::START, "nginx works again");
        assert_eq!(pair.watch.moves(pair.address()), 2);
        pair.assert_never_two_owners();
    });
}

#[test]
fn nginx_that_can_not_be_started_again_is_started_by_the_peer() {
    claim_with(&DEMANDS, || {
        let pair = web_pair("monitor nginx every=300ms\n");
        files::write(&pair.a.file("nginx/spoiled"), "", 0o644);
        kill_nginx(&pair.a);
        expect_page(&pair, "beta is up");
        pair.a
            .log()
            .expect(Mark::START, "could not be started here");
        pair.assert_never_two_owners();
    });
}

/// What `cl_status` says of the only monitor: whether it works, failures, attempts.
fn monitors_of(machine: &Machine) -> (Option<bool>, u64, u64) {
    let (text, _) = machine.command("cl_status", &["--json", "rscstatus"]);
    let status: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let monitor = &status["groups"][0]["monitors"][0];
    (
        monitor["works"].as_bool(),
        monitor["failures"].as_u64().unwrap_or(u64::MAX),
        monitor["restarts"].as_u64().unwrap_or(u64::MAX),
    )
}
