use std::{collections::HashMap, thread, time::Duration};

#[inline(never)]
fn deep<T: std::fmt::Debug>(depth: u32, map: &HashMap<String, T>) -> usize {
    if depth == 0 {
        let found = map.get("missing").expect("no such key");
        return format!("{:?}", found).len();
    }
    deep(depth - 1, map) + 1
}

fn main() {
    let _waiting: Vec<_> = (0..3)
        .map(|_| thread::spawn(|| loop { thread::sleep(Duration::from_secs(100)) }))
        .collect();
    let mut map = HashMap::new();
    map.insert("a".to_string(), vec![1, 2, 3]);
    let thread = thread::spawn(move || deep(4, &map));
    println!("{:?}", thread.join());
}
