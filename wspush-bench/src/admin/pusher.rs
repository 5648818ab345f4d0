//! Posts publications.

use super::address::Address;
use super::client::{self, Access, Client};
use crate::payload::Template;
use crate::sys::monotonic_ns;

/// The publisher.
pub(crate) struct Pusher {
    client: Client,
    template: Template,
    content_type: &'static str,
    /// When each publication so far was sent.
    pub(crate) sent_ns: Vec<u64>,
    /// Publications that were refused, and why the last one was.
    pub(crate) refused: u64,
    pub(crate) last_refusal: String,
}

impl Pusher {
    pub(crate) fn connect(
        address: &Address,
        access: &Access,
        template: Template,
        content_type: &'static str,
    ) -> Result<Self, String> {
        let client = Client::connect(address, access).map_err(|error| format!("push to {error}"))?;
        Ok(Self {
            client,
            template,
            content_type,
            sent_ns: Vec::new(),
            refused: 0,
            last_refusal: String::new(),
        })
    }

    /// How many publications there are, which is the number of the next.
    pub(crate) fn published(&self) -> u32 {
        self.sent_ns.len() as u32
    }

    /// Posts `count` publications, up to `pipeline` before the first of their answers is read.
    pub(crate) fn burst(&mut self, count: u32, pipeline: u32) -> Result<(), String> {
        self.post(count, pipeline).map_err(|error| format!("push: {error}"))
    }

    fn post(&mut self, count: u32, pipeline: u32) -> Result<(), String> {
        let mut left = count;
        while left > 0 {
            let posts = left.min(pipeline);
            let mut requests = Vec::new();
            for _ in 0..posts {
                self.client.compose_post(&mut requests, self.content_type, self.template.size);
                let now_ns = monotonic_ns();
                self.template.compose(&mut requests, self.published(), now_ns);
                self.sent_ns.push(now_ns);
            }
            self.client.send(&requests)?;
            for _ in 0..posts {
                let answer = self.client.receive()?;
                if !(200..300).contains(&answer.status) {
                    self.refused += 1;
                    self.last_refusal = client::refusal(answer.status);
                }
            }
            left -= posts;
        }
        Ok(())
    }
}
