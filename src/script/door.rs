//! The way from a function that Lua calls back to the program that runs the script.
//!
//! Functions handed to Lua live as long as the interpreter; what they need (the server, the client) lives as long as one script.
//! The door holds a pointer to it that is there only while the script runs.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ptr::NonNull;

use super::Calls;

/// The door. Shut unless a script runs.
#[derive(Default)]
pub(super) struct Door(Cell<Option<NonNull<dyn Calls>>>);

impl Door {
    /// Lets `run` reach `calls` through [`Door::with`]. Doors are not opened twice: scripts do not run scripts.
    pub fn open<R>(&self, calls: &mut dyn Calls, run: impl FnOnce() -> R) -> R {
        struct Shut<'a>(&'a Door);
        impl Drop for Shut<'_> {
            fn drop(&mut self) {
                self.0.0.set(None);
            }
        }
        assert!(self.0.get().is_none(), "a script within a script");
        let pointer: NonNull<dyn Calls + '_> = NonNull::from(calls);
        // SAFETY: only the lifetime is forgotten, so the layout is the same. The pointer is used by `with` alone, and is gone when
        // this function returns or unwinds, while `calls` is borrowed mutably until then and used by nobody else.
        let pointer: NonNull<dyn Calls + 'static> = unsafe { std::mem::transmute(pointer) };
        self.0.set(Some(pointer));
        let _shut = Shut(self);
        run()
    }

    /// What is behind the door; `None` when it is shut, or when we are behind it already.
    pub fn with<R>(&self, act: impl FnOnce(&mut dyn Calls) -> R) -> Option<R> {
        struct Back<'a>(&'a Door, NonNull<dyn Calls>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                self.0.0.set(Some(self.1));
            }
        }
        let pointer = self.0.take()?;
        let mut back = Back(self, pointer);
        // SAFETY: the pointer comes from `open`, which has not returned, as it would have taken it away. While it is out of the
        // cell no other reference is made from it.
        Some(act(unsafe { back.1.as_mut() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::OwnedArgs;
    use crate::resp::out::Out;
    use crate::resp::reply::Proto;
    use crate::script::{LogLevel, Propagation};

    struct Counting(u32);

    impl Calls for Counting {
        fn call(&mut self, _: &OwnedArgs, _: Proto, _: &mut Out) {
            self.0 += 1;
        }
        fn is_permitted(&mut self, _: &OwnedArgs) -> Option<bool> {
            None
        }
        fn log(&mut self, _: LogLevel, _: &[u8]) {}
        fn set_propagation(&mut self, _: Propagation) {}
        fn tick(&mut self) -> Result<(), &'static str> {
            self.0 += 10;
            Ok(())
        }
    }

    #[test]
    fn the_door_is_open_only_while_the_script_runs() {
        let (door, mut calls) = (Door::default(), Counting(0));
        assert!(door.with(|_| ()).is_none());
        let inside = door.open(&mut calls, || {
            door.with(|calls| calls.tick()).unwrap().unwrap();
            door.with(|_| door.with(|_| ()).is_none()).unwrap()
        });
        assert!(inside, "behind the door there is no door");
        assert!(door.with(|_| ()).is_none());
        assert_eq!(calls.0, 10);
    }
}
