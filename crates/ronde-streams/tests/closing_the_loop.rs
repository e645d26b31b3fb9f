//! What is still open when its loop closes gives its descriptors back.
//!
//! Alone in its binary, because it counts the descriptors of the process.
#![cfg(target_os = "linux")]

mod support;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn servers_and_unsent_output_give_their_descriptors_back() {
    let before = descriptors();
    for _ in 0..5 {
        support::run(async {
            let server = ronde_streams::start_server(async |_, _| {}, "127.0.0.1", 0).await;
            assert!(server.unwrap().is_serving());
        });
        let peer = support::run(async {
            let ((_reader, writer), peer) = support::half_pair().await;
            writer.write(vec![0; 50_000_000]);
            peer
        });
        drop(peer);
    }
    assert_eq!(descriptors(), before);
}
