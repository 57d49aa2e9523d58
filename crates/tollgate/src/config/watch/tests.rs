use std::sync::Arc;

use super::*;

const GOOD: &str = "model_list:\n  - {model_name: one, litellm_params: {model: ollama/one}}\n";
const OTHER: &str = "model_list:\n  - {model_name: second, litellm_params: {model: ollama/second}}\n";

fn start(path: &Path) -> Watch {
    let (watch, outcome) = Watch::start(path, Arc::new(|_| None));
    outcome.expect("is good");
    watch
}

fn group(outcome: Option<Outcome>) -> String {
    let (config, _) = outcome.expect("was read").expect("is good");
    config.deployments.last().expect("a deployment").group.clone()
}

#[test]
fn s10_a_changed_file_gives_a_new_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, GOOD).expect("written");
    let mut watch = start(&path);
    assert!(watch.poll(false).is_none(), "nothing changed");
    std::fs::write(&path, OTHER).expect("written");
    assert_eq!(group(watch.poll(false)), "second");
    assert!(watch.poll(false).is_none());
    assert_eq!(group(watch.poll(true)), "second", "SIGHUP reads it anyway");
}

#[test]
fn a_broken_file_is_refused_once_and_its_repair_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, GOOD).expect("written");
    let mut watch = start(&path);
    std::fs::write(&path, "model_list: [\n").expect("written");
    let problems = watch.poll(false).expect("was read").expect_err("is broken");
    assert!(problems[0].message.contains("YAML"), "{problems:?}");
    assert!(watch.poll(false).is_none(), "it is reported once");
    std::fs::remove_file(&path).expect("removed");
    assert!(watch.poll(false).expect("was read").is_err());
    std::fs::write(&path, OTHER).expect("written");
    assert_eq!(group(watch.poll(false)), "second");
}

#[test]
fn included_files_are_watched_too_also_after_they_were_broken() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    let more = folder.path().join("more.yaml");
    std::fs::write(&path, "include: [more.yaml]\n").expect("written");
    std::fs::write(&more, GOOD).expect("written");
    let mut watch = start(&path);
    std::fs::write(&more, "model_list: [}\n").expect("written");
    assert!(watch.poll(false).expect("was read").is_err());
    std::fs::write(&more, OTHER).expect("written");
    assert_eq!(group(watch.poll(false)), "second");
}

/// As Kubernetes does it. The files may have the same size and time.
#[test]
fn a_turned_link_is_a_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = GOOD.replace("one", "two");
    for (name, text) in [("v1", GOOD), ("v2", other.as_str())] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
        let file = folder.path().join(name).join("config.yaml");
        std::fs::write(&file, text).expect("written");
        let file = std::fs::File::options().write(true).open(file).expect("opened");
        file.set_modified(SystemTime::UNIX_EPOCH).expect("dated");
    }
    let link = folder.path().join("data");
    std::os::unix::fs::symlink(folder.path().join("v1"), &link).expect("linked");
    let mut watch = start(&link.join("config.yaml"));
    let turned = folder.path().join("turned");
    std::os::unix::fs::symlink(folder.path().join("v2"), &turned).expect("linked");
    std::fs::rename(&turned, &link).expect("turned");
    assert_eq!(group(watch.poll(false)), "two");
}

#[tokio::test]
async fn s10_changes_arrive_at_a_running_gateway() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, GOOD).expect("written");
    let mut changes = start(&path).changes().expect("signals work");
    std::fs::write(&path, OTHER).expect("written");
    let config = changes.recv().await.expect("a configuration");
    assert_eq!(config.deployments[0].group, "second");
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGHUP).expect("raised");
    assert!(changes.recv().await.is_some(), "SIGHUP reads it again");
}
