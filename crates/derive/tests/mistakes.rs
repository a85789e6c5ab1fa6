//! What the compiler says of the mistakes that people make most: snapshots of its messages (`TRYBUILD=overwrite` writes them).

#[test]
fn mistakes_that_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
