//! Components: what people say of their status, where they stand, and who sees them.

use domain::{Component, Permission, Resource};
use serde_json::{Value, json};
use storage::{components, rows};

use super::{Acts, Beside, Console, Deed, Failure, Outcome, Row, Typed, Undone, Words};
use crate::console::zone::from_field;

pub(super) struct Overrule;
pub(super) struct GiveBack;
pub(super) struct Move;
pub(super) struct Hide;
pub(super) struct Show;

pub(in crate::console) const OVERRULE: Words = Words {
    list: "/console/components",
    area: "Components",
    path: "/console/components/chosen/override",
    button: "Override the status",
    verb: "Override the status of",
    tail: "",
    one: "component",
    many: "components",
    meaning: "Your word outranks what signals say, for readers too, until it ends or is taken back.",
    done: "overridden",
    is_danger: false,
    permission: Permission::write(Resource::Overrides),
};

pub(in crate::console) const GIVE_BACK: Words = Words {
    path: "/console/components/chosen/give-back",
    button: "Give back to the signals",
    verb: "Give",
    tail: " back to the signals",
    meaning: "Each shows what its signals say at once, which may open incidents and tell subscribers.",
    done: "given back to the signals",
    ..OVERRULE
};

pub(in crate::console) const MOVE: Words = Words {
    path: "/console/components/chosen/move",
    button: "Move",
    verb: "Move",
    meaning: "They go behind what stands in the group, in the order in which they stand now.",
    done: "moved",
    permission: Permission::write(Resource::Components),
    ..OVERRULE
};

pub(in crate::console) const HIDE: Words = Words {
    path: "/console/components/chosen/hide",
    button: "Hide",
    verb: "Hide",
    meaning: "Readers do not see them any more, nor what is said of them. The team does.",
    done: "hidden",
    ..MOVE
};

pub(in crate::console) const SHOW: Words = Words {
    path: "/console/components/chosen/show",
    button: "Show",
    verb: "Show",
    meaning: "Readers see them from now on, with their past.",
    done: "shown to readers",
    ..MOVE
};

async fn look(console: &Console, ids: &[i64], unfit: fn(&Component) -> Option<&'static str>) -> Result<Vec<Row>, Failure> {
    let all = rows::components(&mut console.db.read().await?).await?;
    let row = |component: &Component| Row {
        id: component.id.0,
        name: component.name.clone(),
        detail: match &component.overridden {
            Some(word) => format!("{}, as {} says", component.status.words(), word.by),
            None => component.status.words().to_owned(),
        },
        unfit: unfit(component),
    };
    let found = |id: &i64| all.iter().find(|component| component.id.0 == *id);
    Ok(ids.iter().map(|id| found(id).map_or_else(|| Row::gone(*id), row)).collect())
}

/// Changes the same about each of them.
async fn change(acts: &Acts, ids: &[i64], field: &str, value: Value) -> Result<Outcome, Undone> {
    change_all(acts, ids.iter().map(|id| json!({ "id": id, field: value })).collect()).await
}

async fn change_all(acts: &Acts, changes: Vec<Value>) -> Result<Outcome, Undone> {
    let n = changes.len();
    acts.patch("/components", &Value::from(changes), None).await?;
    Ok(Outcome { n, to: None })
}

impl Deed for Overrule {
    const WORDS: &'static Words = &OVERRULE;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        look(console, ids, |_| None).await
    }

    async fn beside(_: &Console) -> Result<Beside, Failure> {
        Ok(Beside::Word)
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], typed: &Typed) -> Result<Outcome, Undone> {
        let until = typed.given("until").map(|text| from_field(text).map_or_else(|| text.to_owned(), |at| at.to_string()));
        acts.put("/components/overrides", &json!({ "ids": ids, "status": typed.text("status"), "until": until }), None).await?;
        Ok(Outcome { n: ids.len(), to: None })
    }
}

impl Deed for GiveBack {
    const WORDS: &'static Words = &GIVE_BACK;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        look(console, ids, |component| component.overridden.is_none().then_some("nobody overrides it")).await
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], _: &Typed) -> Result<Outcome, Undone> {
        acts.put("/components/overrides", &json!({ "ids": ids, "status": null }), None).await?;
        Ok(Outcome { n: ids.len(), to: None })
    }
}

impl Deed for Move {
    const WORDS: &'static Words = &MOVE;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        look(console, ids, |_| None).await
    }

    async fn beside(console: &Console) -> Result<Beside, Failure> {
        let groups = rows::groups(&mut console.db.read().await?).await?;
        Ok(Beside::Group(groups.into_iter().map(|group| (group.key, group.name)).collect()))
    }

    async fn act(console: &Console, acts: &Acts, ids: &[i64], typed: &Typed) -> Result<Outcome, Undone> {
        let group = typed.given("group").map_or(Value::Null, Value::from);
        let first = components::next_position(&mut console.db.read().await?).await?;
        let change = |(id, position): (&i64, i32)| json!({ "id": id, "group": group, "position": position });
        change_all(acts, ids.iter().zip(first..).map(change).collect()).await
    }
}

impl Deed for Hide {
    const WORDS: &'static Words = &HIDE;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        look(console, ids, |component| component.hidden.then_some("it is hidden")).await
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], _: &Typed) -> Result<Outcome, Undone> {
        change(acts, ids, "hidden", Value::Bool(true)).await
    }
}

impl Deed for Show {
    const WORDS: &'static Words = &SHOW;

    async fn look(console: &Console, ids: &[i64]) -> Result<Vec<Row>, Failure> {
        look(console, ids, |component| (!component.hidden).then_some("readers see it")).await
    }

    async fn act(_: &Console, acts: &Acts, ids: &[i64], _: &Typed) -> Result<Outcome, Undone> {
        change(acts, ids, "hidden", Value::Bool(false)).await
    }
}
