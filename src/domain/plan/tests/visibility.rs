//! What is hidden stays hidden. The world checks every notice; here it is given occasion to fail.

use super::*;

#[test]
fn a_hidden_component_changes_its_status_and_nobody_hears_of_it() {
    let mut world = World::new([auto(&[VAULT])]);
    world.fires("cpu", Warning);
    world.fires("cpu", Critical);
    assert_eq!(world.status(VAULT), MajorOutage);
    world.resolves("cpu");
    world.fires("cpu", Critical);
    world.acts(set(VAULT, PartialOutage, None));
    world.acts(open([(VAULT, MajorOutage)]));
    assert_eq!(world.told(), Vec::<String>::new());
}
