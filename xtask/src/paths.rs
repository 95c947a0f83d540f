//! From nothing to something, in a headless Chromium: the printed link to the first call, a sign-up to a receipt, a payment, an own provider
//! key. One server is as it starts; another takes sign-ups and prepayments. Provider and payment processor are played by the script.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::screens::owner_token;
use crate::{sh, tools};

/// What the processor's events are signed with.
const WEBHOOK_SECRET: &str = "whsec_paths_0123456789";

/// Runs the journeys against this program; true when all of it worked.
pub fn run(tollway: &Path) -> Result<bool> {
    let dir = tempfile::tempdir()?;
    let [first, shop, provider, processor] = sh::free_ports()?;
    let lab = format!("[providers.mistral]\nbase_url = \"http://127.0.0.1:{provider}/v1\"\n");
    let money = format!(
        "[billing]\nmode = \"prepaid\"\n[credits]\ntrial_usd = \"1\"\n[people]\nsign_up = \"open\"\n\
         [fees]\ntop_up = [{{ percent = \"5\" }}]\n[payments.stripe]\nbase_url = \"http://127.0.0.1:{processor}\"\n\
         secret_key = \"sk_test_0123456789\"\nwebhook_secret = \"{WEBHOOK_SECRET}\"\n{lab}api_key = \"key-of-the-operator\"\n"
    );
    let servers = [("first", first, lab), ("shop", shop, money)];
    let mut running = Vec::with_capacity(servers.len());
    let mut node = Command::new(tools::node_bin()?.join("node"));
    node.arg(sh::root().join("xtask/console_paths.mjs"));
    for (name, port, config) in servers {
        let own = dir.path().join(name);
        fs::create_dir_all(&own)?;
        fs::write(own.join("tollway.toml"), config)?;
        let log = own.join("log");
        let mut command = Command::new(tollway);
        command.current_dir(&own).env_clear().env("TOLLWAY_LISTEN", format!("127.0.0.1:{port}"));
        let mut server = sh::Server::start(&mut command, "TERM", &log)?;
        server.wait_until("Tollway", || sh::listens(port) && owner_token(&log).is_ok())?;
        running.push(server);
        node.arg(format!("{name}=http://127.0.0.1:{port}"));
        node.arg(format!("{name}_log={}", log.display()));
    }
    node.args([format!("provider={provider}"), format!("processor={processor}")]);
    node.env("TOLLWAY_BIN", tollway).env("TOLLWAY_WEBHOOK_SECRET", WEBHOOK_SECRET);
    crate::screens::is_well(node)
}
