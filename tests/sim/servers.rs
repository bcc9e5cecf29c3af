//! What clients ask of the data servers, and what that does to others.

use rredis::resp::args::OwnedArgs;

use crate::network::{Message, Process, Way};
use crate::redis_model::{Client, Effect};
use crate::shape::Sabotage;
use crate::world::{Happening, World};

impl World {
    pub fn serve(&mut self, index: usize, id: u64, words: OwnedArgs) {
        if let Some(client) = self.servers[index].2.clients.get_mut(&id)
            && !client.waiting.is_empty()
        {
            return client.waiting.push(words);
        }
        self.execute(index, id, &words);
    }

    fn execute(&mut self, index: usize, id: u64, words: &OwnedArgs) {
        let effects = self.servers[index].2.execute(id, words, self.now);
        let paused_until = self.servers[index].2.paused_until;
        if paused_until > self.now {
            self.at(paused_until, Happening::PauseOver { server: index });
        }
        for effect in effects {
            match effect {
                Effect::Reply(value) => self.send(id, Way::ToClient, Message::Reply(value)),
                Effect::Publish(payload) => {
                    let clients = &self.servers[index].2.clients;
                    let subscribed: Vec<u64> =
                        clients.iter().filter(|(_, client)| client.is_subscribed).map(|(&id, _)| id).collect();
                    for id in subscribed {
                        self.send(id, Way::ToClient, Message::Push(payload.clone()));
                    }
                }
                Effect::Follow(Some(_)) if self.shape.sabotage == Sabotage::ServersStay => {}
                Effect::Follow(master) => self.set_following(index, master),
                Effect::KillNormal => {
                    self.kill_clients(index, id, |client| !client.is_subscribed && !client.is_replica)
                }
                Effect::KillPubSub => self.kill_clients(index, id, |client| client.is_subscribed),
                Effect::Unpause => self.pause_over(index),
            }
        }
    }

    fn kill_clients(&mut self, index: usize, except: u64, which: impl Fn(&Client) -> bool) {
        let clients = &self.servers[index].2.clients;
        let ids: Vec<u64> =
            clients.iter().filter(|(id, client)| **id != except && which(client)).map(|(&id, _)| id).collect();
        for id in ids {
            self.servers[index].2.clients.remove(&id);
            self.say_end(id, Process::Server(index));
            self.tell_server(index, rredis::repl::Input::ClientClosed(rredis::base::id::ClientId(id)));
        }
    }

    pub fn pause_over(&mut self, index: usize) {
        if self.servers[index].2.paused_until > self.now {
            return;
        }
        let waiting: Vec<(u64, Vec<OwnedArgs>)> = self.servers[index]
            .2
            .clients
            .iter_mut()
            .map(|(&id, client)| (id, std::mem::take(&mut client.waiting)))
            .collect();
        for (id, commands) in waiting {
            commands.iter().for_each(|words| self.execute(index, id, words));
        }
    }
}
