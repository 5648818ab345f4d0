//! How the shared library of libwspush/ is linked: its SONAME. That it exports our symbols and no others is the
//! compiler's doing: for a `cdylib` it gives the linker a list of them (`ffi-tests/exports.txt` is held against it). A
//! second list beside that one is refused by GNU's linker.

fn main() {
    println!("cargo:rerun-if-changed=../build.rs");
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux {
        // A change that breaks hosts changes this number, not only the version.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libwspush.so.0");
    }
}
