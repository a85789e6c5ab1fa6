//! That the laws are checked on enough: samples of every primitive, and cases of every law.

use super::*;

/// The fewest cases of each law. A law that checks fewer fails, and all together are as many as the project promises.
const CASES: [(&str, usize); 12] = [
    ("results_have_the_inferred_types", 50_000),
    ("programs_print_and_parse_back", 50_000),
    ("forward_mode_agrees_with_finite_differences", 8000),
    ("transposes_are_adjoint", 8000),
    ("a_batch_is_a_loop_over_its_lanes", 100_000),
    ("machine_code_agrees_with_the_reference_bit_for_bit", 80_000),
    ("derivatives_in_machine_code_agree_with_the_reference", 8000),
    ("the_four_orders_of_modes_give_one_second_derivative", 6000),
    ("derivatives_of_all_kinds_are_the_same_compiled_in_lanes_and_in_loops", 45_000),
    ("derivatives_of_lanes_are_lanes_of_derivatives", 20_000),
    ("derivatives_of_calls_are_those_of_what_is_called", 36_000),
    ("derivatives_in_f32_are_those_in_f64_rounded", 8_500),
];

/// What a law says at its end: how many cases it has checked.
pub fn enough(law: &str, checked: usize) {
    println!("{law}: {checked} cases");
    let least = CASES.iter().find(|(name, _)| *name == law).expect("the law is in the list").1;
    assert!(checked >= least, "{law}: {checked} cases, not {least}");
}

#[test]
fn the_laws_have_fifty_thousand_cases() {
    let all: usize = CASES.iter().map(|(_, cases)| cases).sum();
    assert!(all >= 50_000, "{all}");
}

#[test]
fn every_primitive_has_twelve_samples() {
    // Why fewer say all there is.
    let fewer: &[(&str, usize, &str)] = &[
        ("stack", 4, "lists are inside of programs only: the samples of loops read and write them"),
        ("nil", 2, "as stack: a list of numbers, and one of lists"),
        ("list_add", 3, "as stack"),
        ("list_spread", 3, "as stack"),
        ("list_sum", 3, "as stack"),
    ];
    let all = samples();
    let mut wrong = Vec::new();
    for name in names() {
        let count = all.iter().filter(|s| s.op.name() == name).count();
        let exception = fewer.iter().find(|(other, ..)| *other == name);
        let least = exception.map_or(12, |(_, least, _)| *least);
        if count < least || exception.is_some() && count >= 12 {
            wrong.push(format!("{name}: {count} samples, {least} wanted"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
