//! How sources add up on a component, and what it depends on.

use super::refused;

/// Checks what is said about the rest of a component whose line is the third, from column 24 on.
#[track_caller]
fn component_refused(rest: &str, expected: &str) {
    let tail =
        "  - { key: vendor, name: Vendor }\nintegrations: [{ key: pings, provider: alertmanager }, { key: ci, provider: alertmanager }]\n";
    refused(&format!("components:\n  - {{ key: a, name: A, {rest} }}\n{tail}"), expected);
}

#[test]
fn ways_to_add_up_are_checked() {
    component_refused(
        "combine: wurst",
        "3:33: components[0].combine: `wurst` is neither `worst` nor `{ quorum: … }` nor `{ weights: …, thresholds: … }`; did you mean `worst`?",
    );
    component_refused(
        "combine: { qorum: 2 }",
        "3:33: components[0].combine: needs a `quorum`, or `weights` and `thresholds`\n3:35: components[0].combine: unknown key `qorum`; did you mean `quorum`?",
    );
    component_refused("combine: { quorum: 0 }", "3:43: components[0].combine.quorum: `0` is not a whole number from 1 to 1000");
    component_refused("combine: { quorum: two }", "3:43: components[0].combine.quorum: `two` is not a whole number from 1 to 1000");
    component_refused(
        "combine: { quorum: 2, weights: { ci: 1 } }",
        "3:33: components[0].combine: has either a `quorum`, or `weights` and `thresholds`",
    );
    component_refused(
        "combine: { weights: { pngs: 1 } }",
        "3:46: components[0].combine.weights: unknown key `pngs`; did you mean `pings`?",
    );
    component_refused(
        "combine: { weights: { ci: -1 } }",
        "3:50: components[0].combine.weights.ci: `-1` is not a whole number from 0 to 1000",
    );
    component_refused(
        "combine: { thresholds: { partial: 1 } }",
        "3:49: components[0].combine.thresholds: unknown key `partial`; known here: degraded_performance, partial_outage, major_outage",
    );
    component_refused(
        "combine: { thresholds: { degraded_performance: 2, major_outage: 1 } }",
        "3:88: components[0].combine.thresholds.major_outage: must not be less than `degraded_performance`, or more agreement would make things look better",
    );
}

#[test]
fn dependencies_lead_somewhere_and_not_back() {
    component_refused("depends_on: [vendr]", "3:37: components[0].depends_on[0]: there is no component `vendr`; did you mean `vendor`?");
    component_refused("depends_on: [a]", "3:37: components[0].depends_on[0]: components depend on each other: a on a");
    component_refused(
        "depends_on: [{ component: vendor, effect: silent }]",
        "3:66: components[0].depends_on[0].effect: `silent` is not an effect (label, cap, silence, inherit); did you mean `silence`?",
    );
    component_refused(
        "depends_on: [{ component: vendor, effect: cap, settle: 5m }]",
        "3:79: components[0].depends_on[0].settle: only the effect `silence` has a time to settle",
    );
    component_refused(
        "depends_on: [{ component: vendor, effect: silence, settle: 2d }]",
        "3:83: components[0].depends_on[0].settle: 2d is more than 1d, the longest time that silence goes on",
    );
    component_refused(
        "depends_on: [vendor, { component: vendor }]",
        "3:45: components[0].depends_on[1]: `vendor` with the effect `label` is already in this list",
    );
    component_refused("depends_on: [{ effect: cap }]", "3:37: components[0].depends_on[0]: `component` is missing");
    refused(
        "components:\n  - { key: a, name: A, depends_on: [b] }\n  - { key: b, name: B, depends_on: [c] }\n  - { key: c, name: C, depends_on: [b] }\n",
        "4:37: components[1].depends_on[0]: components depend on each other: b on c on b",
    );
    let chain: String = (0..10).map(|i| format!("  - {{ key: c{i}, name: C, depends_on: [c{}] }}\n", i + 1)).collect();
    refused(
        &format!("components:\n{chain}  - {{ key: c10, name: C }}\n"),
        "4:38: components[1].depends_on[0]: dependencies may reach 8 deep, and this is deeper: \
         c1 on c2 on c3 on c4 on c5 on c6 on c7 on c8 on c9 on c10",
    );
}
