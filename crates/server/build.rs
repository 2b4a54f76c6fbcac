//! The page is embedded from `ui/dist`. Where it was not built, an empty folder stands in, and the server says so instead.

fn main() -> std::io::Result<()> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/dist");
    std::fs::create_dir_all(page)?;
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("cargo:rerun-if-changed={page}\n").as_bytes())
}
