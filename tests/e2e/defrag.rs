//! Closing gaps in memory while the server is used.

use super::node::{LATER, Node, wait_for};

#[test]
fn memory_that_keys_left_is_given_back_when_that_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::server(
        root.path(),
        &["save \"\"", "enable-debug-command yes", "active-defrag-ignore-bytes 1mb", "active-defrag-cycle-min 20"],
    );
    let mut client = node.client();
    assert_eq!(client.call(&["DEBUG", "POPULATE", "400000", "key", "150"]).unwrap().text(), "OK");
    let rss = |node: &Node| node.info("memory", "used_memory_rss").parse::<u64>().unwrap();
    // Nine of ten go.
    for tens in 0..40_000 {
        let keys: Vec<String> = (1..10).map(|one| format!("key:{}", tens * 10 + one)).collect();
        let words: Vec<&str> = std::iter::once("DEL").chain(keys.iter().map(String::as_str)).collect();
        assert_eq!(client.call(&words).unwrap().text(), "9");
    }
    let (digest, before) = (node.ask(&["DEBUG", "DIGEST"]), rss(&node));
    assert_eq!(node.info("stats", "active_defrag_hits"), "0");
    assert_eq!(node.call(&["CONFIG", "SET", "activedefrag", "yes"]).text(), "OK");
    wait_for("the gaps are closed", LATER, || {
        // It serves on meanwhile.
        assert_eq!(node.ask(&["STRLEN", "key:10"]), "150");
        rss(&node) < before / 2 && node.info("memory", "active_defrag_running") == "0"
    });
    assert_eq!(node.ask(&["DEBUG", "DIGEST"]), digest);
    let moved: u64 = node.info("stats", "active_defrag_key_hits").parse().unwrap();
    assert!((20_000..400_000).contains(&moved), "{moved}");
    assert!(!node.log().contains("activedefrag"), "{}", node.log());
}
