//! How many nodes a radix tree with compressed paths has, which XINFO STREAM tells. Ours has none; the number follows from
//! the keys alone.
//!
//! Every key has the same length, so the tree has one leaf for each key, one node for each place where keys part, and one
//! for each stretch of bytes above these that is longer than the one byte which leads out of a parting node.

/// Length of a key.
const LEN: usize = 16;

/// How many nodes the tree of these keys has; they come in ascending order.
pub fn tree_nodes(keys: impl Iterator<Item = [u8; LEN]>) -> usize {
    let mut nodes = 0;
    // The depths of the parting nodes above the last key, the deepest last.
    let mut path: Vec<usize> = Vec::new();
    let mut before: Option<[u8; LEN]> = None;
    for key in keys {
        if let Some(before) = before {
            let common = before.iter().zip(&key).take_while(|(a, b)| a == b).count();
            let parent = |path: &[usize]| Some(path.last().copied().unwrap_or(0).max(common));
            nodes += with_stretch(LEN, parent(&path));
            while let Some(depth) = path.pop_if(|depth| *depth > common) {
                nodes += with_stretch(depth, parent(&path));
            }
            if path.last() != Some(&common) {
                path.push(common);
            }
        }
        before = Some(key);
    }
    if before.is_none() {
        return 1; // the root, which is always there
    }
    nodes += with_stretch(LEN, path.last().copied());
    while let Some(depth) = path.pop() {
        nodes += with_stretch(depth, path.last().copied());
    }
    nodes
}

/// A node at `depth` and the stretch between it and the parting node above it, if there is one.
fn with_stretch(depth: usize, parent: Option<usize>) -> usize {
    let between = depth - parent.map_or(0, |parent| parent + 1);
    1 + usize::from(between > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(mut keys: Vec<u128>) -> usize {
        keys.sort();
        tree_nodes(keys.into_iter().map(u128::to_be_bytes))
    }

    #[test]
    fn nodes_are_counted_as_in_a_tree_that_is_really_built() {
        assert_eq!(nodes(vec![]), 1);
        assert_eq!(nodes(vec![5]), 2);
        // Fifteen bytes in common, then two leaves.
        assert_eq!(nodes(vec![1, 2]), 4);
        // They part at the first byte: no stretch above, one below on either side.
        assert_eq!(nodes(vec![1, 1 << 127]), 5);
        // Parting again right below the first place, and one byte later.
        assert_eq!(nodes(vec![0x0000, 0x0100, 0x0101]), 1 + 1 + 2 + 3);
        assert_eq!(nodes(vec![0x00_0000, 0x01_0000, 0x01_0001]), 1 + 1 + 2 + 2 + 2);
    }
}
