//! Prints the table of `docs/repairs.md`: `cargo run -p tollgate-policy --example repairs`.

fn main() {
    print!("{}", tollgate_policy::repair::table::markdown());
}
