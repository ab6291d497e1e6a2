//! A ring of entries.
use std::collections::{HashMap, VecDeque};
use crate::reader::Reader as Source;
extern crate log;
pub mod walk;

/// How many entries a ring holds.
pub const SIZE: usize = 16;
static mut COUNTER: u32 = 0;
pub type Entries<T> = Vec<Entry<T>>;

/// One entry.
///
/// It is read once.
#[derive(Debug, Clone)]
#[repr(C)]
pub struct Entry<T> {
    /// Its number.
    pub id: u64,
    #[serde(default)]
    value: Option<T>,
}

pub struct Wrapper(pub u32, String);
struct Unit;
union Bits { whole: u32, parts: [u8; 4] }

/* What a ring tells. */
#[derive(PartialEq)]
pub enum Status {
    Ok,
    /// With the size.
    Full(usize),
    Other { reason: String },
}

pub trait Ring<T>: Send + 'static
where
    T: Clone,
{
    type Item;
    const LIMIT: usize = SIZE;
    fn push(&mut self, entry: Entry<T>) -> Result<(), Status>;
    fn is_empty(&self) -> bool { self.len() == 0 }
}

impl<T> Entry<T> {
    pub const EMPTY: u64 = 0;

    /// Makes one.
    #[inline]
    pub fn new(id: u64) -> Self {
        fn helper(x: u64) -> u64 { x + SIZE as u64 }
        let local = helper(id);
        Entry { id: local, value: None }
    }
}

impl<'a, T: Clone> Ring<T> for &'a mut Wrapper {
    type Item = T;
    fn push(&mut self, entry: Entry<T>) -> Result<(), Status> { Err(Status::Full(entry.id as usize)) }
}

impl fmt::Display for crate::walk::Walker<u8> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}", self.0) }
}

/// Makes a ring.
#[macro_export]
macro_rules! ring {
    ($($x:expr),*) => { Wrapper(vec![$($x),*]) };
    () => { Wrapper::default() };
}

pub(crate) async unsafe fn drain<T>(ring: &mut dyn Ring<T>, f: impl Fn(T)) -> usize {
    let closure = |x: usize| x + 1;
    closure(COUNTER as usize)
}

extern "C" { fn external(x: i32) -> i32; }

mod inner {
    pub fn nested() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes() { assert_eq!(Entry::<u8>::new(1).id, 17); }

    #[tokio::test]
    #[should_panic(expected = "full")]
    async fn overflows() {}

    fn fixture() -> Unit { Unit }
}
