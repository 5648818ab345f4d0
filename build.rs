//! How the shared library of libwspush/ is linked: its SONAME, and that it exports our symbols and no others.

fn main() {
    println!("cargo:rerun-if-changed=../build.rs");
    println!("cargo:rerun-if-changed=../ffi-tests/exports.map");
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux {
        // A change that breaks hosts changes this number, not only the version.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libwspush.so.0");
        let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo:rustc-cdylib-link-arg=-Wl,--version-script={root}/../ffi-tests/exports.map");
    }
}
