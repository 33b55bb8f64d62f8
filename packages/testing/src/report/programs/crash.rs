use std::{collections::HashMap, env, hint::black_box, thread, time::Duration};

#[inline(never)]
fn deep<T: std::fmt::Debug>(depth: u32, map: &HashMap<String, T>) -> usize {
    if depth == 0 {
        let found = map.get("missing").expect("no such key");
        return format!("{:?}", found).len();
    }
    deep(depth - 1, map) + 1
}

#[inline(never)]
fn other(numbers: &[u32]) -> u32 {
    numbers[numbers.len() + 3]
}

fn main() {
    let secret = env::var("SECRET").unwrap_or_default();
    let kept: Vec<String> = (0..1000).map(|index| format!("{secret}{index}")).collect();
    black_box(&kept);
    let is_there = env::args().nth(1).as_deref() == Some("there");
    let _waiting: Vec<_> = (0..3)
        .map(|_| thread::spawn(|| loop { thread::sleep(Duration::from_secs(100)) }))
        .collect();
    let mut map = HashMap::new();
    map.insert("a".to_string(), vec![1, 2, 3]);
    let thread = thread::spawn(move || {
        if is_there { other(black_box(&[1, 2])) as usize } else { deep(4, &map) }
    });
    println!("{:?}", thread.join());
}
