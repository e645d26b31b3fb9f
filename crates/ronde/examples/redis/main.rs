//! A client of Redis, made of transports and protocols: the one that docs/frameworks.md builds.
//!
//! Without arguments it starts a `redis-server` of its own, if there is one.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod error;
#[cfg(unix)]
mod link;
#[cfg(unix)]
mod resp;
#[cfg(unix)]
mod server;

#[cfg(unix)]
#[ronde::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    use ronde::{create_task, gather_all, timeout};
    use std::time::Duration;

    use client::Client;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [host, port] = &arguments[..] {
        let client = Client::connect(host, port.parse()?).await?;
        println!("{:?}", client.call(&["INFO", "server"]).await?);
        return Ok(());
    }
    let Some(server) = server::Server::start().await? else {
        println!("there is no redis-server here");
        return Ok(());
    };
    let client = Client::connect_unix(server.path()).await?;

    client.set("greeting", "hello").await?;
    println!(
        "{:?}",
        client.get("greeting").await?.map(|text| String::from_utf8_lossy(&text).into_owned())
    );

    // A hundred tasks share the connection. Their commands leave together, and nobody waits for another.
    let counting = (0..100).map(|_| {
        let client = client.clone();
        async move { client.incr("counter").await }
    });
    let numbers = gather_all(counting.map(create_task)).await?;
    println!("counted to {}", numbers.into_iter().filter_map(Result::ok).max().unwrap_or(0));

    // One that blocks has a time limit. Its reply comes later, and is nobody's.
    let waiting = Client::connect_unix(server.path()).await?;
    let popped = timeout(Duration::from_millis(20), waiting.call(&["BLPOP", "empty", "0.1"])).await;
    println!("{:?}", popped.map(|_| "popped"));
    waiting.set("after", "all").await?;
    println!("{} in flight", waiting.in_flight());

    println!("{}", client.call(&["INCR", "greeting"]).await.unwrap_err());
    println!("{} deleted", client.del(&["greeting", "counter", "nothing"]).await?);

    let news = Client::connect_unix(server.path()).await?.subscribe("news").await?;
    client.publish("news", "it works").await?;
    println!("{}", String::from_utf8_lossy(&news.next().await?));

    news.close().await;
    client.close().await;
    server.stop().await;
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("the server that this starts runs on Unix");
}
