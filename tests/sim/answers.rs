//! What is asked of a Sentinel over the network, and its answers: in order, some of them later.

use std::collections::{BTreeMap, VecDeque};

use rredis::resp::args::{Args, OwnedArgs};
use rredis::resp::value::Value;
use rredis::sentinel::core::HELLO_CHANNEL;
use rredis::sentinel::core::io::{CommandReply, DownQuestion, Input, ReplySlot};

use crate::network::{Message, Way};
use crate::nodes::COMMAND;
use crate::shape::Sabotage;
use crate::world::World;

/// What one Sentinel owes to its clients.
#[derive(Debug, Default)]
pub struct Answers {
    /// Of each connection, in order; `None` while not known.
    owed: BTreeMap<u64, VecDeque<(u64, Option<Value>)>>,
    /// Which vote a slot asks for: about the master of which group, in which epoch, for whom.
    questions: BTreeMap<u64, Question>,
    next_slot: u64,
}

#[derive(Clone, Debug)]
struct Question {
    connection: u64,
    group: usize,
    epoch: u64,
    candidate: String,
}

impl Answers {
    pub fn open(&mut self, connection: u64) {
        self.owed.insert(connection, VecDeque::new());
    }

    pub fn close(&mut self, connection: u64) {
        self.owed.remove(&connection);
    }

    pub fn knows(&self, connection: u64) -> bool {
        self.owed.contains_key(&connection)
    }

    /// An answer is known; gives those that may leave now.
    fn settle(&mut self, connection: u64, slot: u64, value: Value) -> Vec<Value> {
        let Some(queue) = self.owed.get_mut(&connection) else { return Vec::new() };
        if let Some((_, answer)) = queue.iter_mut().find(|(owed, _)| *owed == slot) {
            *answer = Some(value);
        }
        let known = queue.iter().take_while(|(_, answer)| answer.is_some()).count();
        queue.drain(..known).filter_map(|(_, answer)| answer).collect()
    }
}

impl World {
    pub fn serve_sentinel(&mut self, index: usize, id: u64, command: &OwnedArgs) {
        let words = command.as_args();
        let value = match (words.get(0), words.len()) {
            (b"PING", _) => Value::Simple("PONG".into()),
            (b"PUBLISH", _) => {
                assert_eq!(words.get(1), HELLO_CHANNEL);
                self.tell(index, Input::Hello { payload: words.get(2) });
                Value::Int(1)
            }
            (b"SENTINEL", 6) => return self.asked_for_opinion(index, id, &words),
            (b"SENTINEL", 3) => {
                let core = self.nodes[index].core.as_ref().expect("it runs");
                match core.master_address(&text(words.get(2))) {
                    Some((host, port)) => Value::Array(vec![Value::bulk(&host), Value::bulk(&port.to_string())]),
                    None => Value::Null,
                }
            }
            _ => Value::ok(),
        };
        let answers = &mut self.nodes[index].answers;
        match answers.owed.get_mut(&id) {
            Some(queue) if !queue.is_empty() => queue.push_back((u64::MAX, Some(value))),
            _ => self.send(id, Way::ToClient, Message::Reply(value)),
        }
    }

    fn asked_for_opinion(&mut self, index: usize, id: u64, words: &Args<'_>) {
        assert_eq!(words.get(1), b"is-master-down-by-addr");
        let question = DownQuestion {
            host: text(words.get(2)),
            port: text(words.get(3)).parse().unwrap_or(0),
            epoch: text(words.get(4)).parse().unwrap_or(0),
            candidate: text(words.get(5)),
        };
        let group = self.group_at(&question.host).expect("a master's address");
        let answers = &mut self.nodes[index].answers;
        answers.next_slot += 1;
        let slot = answers.next_slot;
        answers.owed.entry(id).or_default().push_back((slot, None));
        let candidate = question.candidate.clone();
        answers.questions.insert(slot, Question { connection: id, group, epoch: question.epoch, candidate });
        self.tell(index, Input::Asked { slot: ReplySlot(slot), question });
    }

    /// The core answers.
    pub fn reply(&mut self, index: usize, slot: ReplySlot, reply: CommandReply) {
        if slot == COMMAND {
            return self.nodes[index].replies.push(reply);
        }
        let question = self.nodes[index].answers.questions.remove(&slot.0).expect("it was asked");
        let CommandReply::Down { down, leader, leader_epoch } = &reply else { panic!("no answer to it: {reply:?}") };
        let mut vote = (leader.map_or("*".to_owned(), |id| id.to_string()), *leader_epoch);
        if leader.is_some() {
            self.vote_told(index, question.group, vote.1, &vote.0);
        }
        if self.shape.sabotage == Sabotage::VotesForEverybody && question.candidate != "*" {
            vote = (question.candidate, question.epoch);
        }
        let value = Value::Array(vec![Value::Int(i64::from(*down)), Value::bulk(&vote.0), Value::Int(vote.1 as i64)]);
        let ready = self.nodes[index].answers.settle(question.connection, slot.0, value);
        ready.into_iter().for_each(|value| self.send(question.connection, Way::ToClient, Message::Reply(value)));
    }

    /// Which master's server has this address.
    pub fn group_at(&self, ip: &str) -> Option<usize> {
        let server = self.servers.iter().position(|(.., server)| server.ip == ip)?;
        Some(self.shape.group_of(server))
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
