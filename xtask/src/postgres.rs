//! A Postgres of our own, in a temporary folder on a free port, that ends with the guard.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{sh, tools};

/// A running server.
pub struct Postgres {
    // Declared before the folder, so that the server ends before its files do.
    _server: sh::Server,
    _dir: TempDir,
    port: u16,
}

impl Postgres {
    /// Makes an empty cluster and starts it without durability: the tests are about logic, not about the disk.
    pub fn start() -> Result<Postgres> {
        let bin = tools::postgres_bin()?;
        let dir = tempfile::Builder::new().prefix("tollway-postgres-").tempdir()?;
        let user = unprivileged()?;
        if let Some(user) = &user {
            chown(dir.path(), Some(user.uid), Some(user.gid))
                .context("giving the folder to the database's user")?;
        }
        let data = dir.path().join("data");
        let mut init = as_user(user.as_ref(), &bin.join("initdb"), dir.path());
        init.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        sh::capture(init.arg(&data))?;
        let port = sh::free_port()?;
        let mut command = as_user(user.as_ref(), &bin.join("postgres"), dir.path());
        command.arg("-D").arg(&data).arg("-k").arg(dir.path()).args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
        ]);
        for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300"]
        {
            command.args(["-c", setting]);
        }
        // SIGINT is Postgres' fast shutdown: clients are cut off.
        let mut server = sh::Server::start(&mut command, "INT", &dir.path().join("log"))?;
        server.wait_until("Postgres", || is_ready(&bin, port))?;
        Ok(Postgres { _server: server, _dir: dir, port })
    }

    /// Where tests reach it; each makes a database of its own there.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

fn is_ready(bin: &Path, port: u16) -> bool {
    let mut ask = Command::new(bin.join("pg_isready"));
    sh::capture(ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])).is_ok()
}

struct User {
    uid: u32,
    gid: u32,
}

/// Postgres refuses to run as root: then somebody else must. `None`: we are not root.
fn unprivileged() -> Result<Option<User>> {
    if sh::capture(Command::new("id").arg("-u"))?.trim() != "0" {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    let user = ["postgres", "nobody"].iter().find_map(|name| find_user(&passwd, name));
    user.map(Some).context("we are root, and there is neither a user postgres nor nobody to run Postgres as")
}

fn find_user(passwd: &str, name: &str) -> Option<User> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some(User { uid: numbers.next()?.ok()?, gid: numbers.next()?.ok()? })
}

/// `setpriv` and not `runuser`: it replaces itself, so signals reach the server, and the server dies with us even when
/// we are killed.
fn as_user(user: Option<&User>, program: &Path, dir: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "INT"]);
    if let Some(user) = user {
        command.args([
            format!("--reuid={}", user.uid),
            format!("--regid={}", user.gid),
            "--clear-groups".into(),
        ]);
    }
    command.arg(program).current_dir(dir).env("LC_ALL", "C");
    command
}

#[cfg(test)]
mod tests {
    use super::find_user;

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let passwd =
            "root:x:0:0::/:/bin/sh\npostgresql:x:7:7::/:/bin/sh\npostgres:x:101:104:admin:/var:/bin/sh\n";
        let user = find_user(passwd, "postgres").expect("listed");
        assert_eq!((user.uid, user.gid), (101, 104));
        assert!(find_user(passwd, "post").is_none());
    }
}
