"""What scripts do with a widely used client of Cachet 2; each assertion is something that such scripts rely on."""

import os
import time
from datetime import datetime, timedelta, timezone

import cachetclient
from cachetclient.v1 import enums

client = cachetclient.Client(endpoint=os.environ["CACHET"], api_token=os.environ["CACHET_TOKEN"])
now = datetime.now(timezone.utc)


def eventually(what, holds):
    for _ in range(200):
        try:
            if holds():
                return
        except Exception:  # Readers do not see yet what was made a moment ago.
            pass
        time.sleep(0.05)
    raise AssertionError(what)


assert client.ping() is True
assert client.version().value.startswith("2.4")

group = client.component_groups.create(name="Websites", order=2)
assert group.name == "Websites" and group.id > 0
shop = client.components.create(name="Shop", status=enums.COMPONENT_STATUS_OPERATIONAL, description="Where people buy", group_id=group.id)
assert (shop.name, shop.status, shop.group_id, shop.enabled, shop.tags) == ("Shop", 1, group.id, True, {}), shop.attrs
secret = client.components.create(name="Cellar", status=enums.COMPONENT_STATUS_MAJOR_OUTAGE, enabled=False)
assert secret.enabled is False and secret.status == 4, secret.attrs

shop.status = enums.COMPONENT_STATUS_MAJOR_OUTAGE
shop.name = "Web shop"
shop = shop.update()
assert (shop.name, shop.status) == ("Web shop", 4), shop.attrs
eventually("readers see it", lambda: client.components.get(shop.id).status == 4)
names = [component.name for component in client.components.list(per_page=1)]
assert names == ["Web shop"], f"what is not enabled is not for readers: {names}"
assert client.component_groups.get(group.id).attrs["lowest_human_status"] == "Major Outage"
shop.status = enums.COMPONENT_STATUS_OPERATIONAL
shop = shop.update()
assert shop.status == 1, shop.attrs

incident = client.incidents.create(
    name="Nobody can pay",
    message="We are looking into it.",
    status=enums.INCIDENT_INVESTIGATING,
    component_id=shop.id,
    component_status=enums.COMPONENT_STATUS_PARTIAL_OUTAGE,
)
assert (incident.status, incident.human_status, incident.visible) == (1, "Investigating", True), incident.attrs
assert incident.message == "We are looking into it." and incident.component_id == shop.id
eventually("the component shows it", lambda: client.components.get(shop.id).status == 3)
update = client.incident_updates.create(incident_id=incident.id, status=enums.INCIDENT_IDENTIFIED, message="It is the bank.")
assert (update.status, update.message, update.incident_id) == (2, "It is the bank.", incident.id), update.attrs
eventually("both are listed", lambda: [one.message for one in client.incident_updates.list(incident.id)] == ["It is the bank."])
draft = client.incidents.create(name="Only for us", message="A draft.", status=enums.INCIDENT_INVESTIGATING, visible=False)
assert draft.visible is False

found = client.incidents.get(incident.id)
found.status = enums.INCIDENT_FIXED
found = found.update()
assert (found.status, found.human_status, found.attrs["is_resolved"]) == (4, "Fixed", True), found.attrs
eventually("the component is well", lambda: client.components.get(shop.id).status == 1)
assert [one.name for one in client.incidents.list()] == ["Nobody can pay"], "a draft is not for readers"

metric = client.metrics.create(name="Orders", description="A minute", suffix="orders/min", default_value=0)
assert metric.name == "Orders"
for value in (20, 21.5):
    point = client.metric_points.create(metric_id=metric.id, value=value)
    assert point.value == value and point.attrs["metric_id"] == metric.id, point.attrs
    time.sleep(0.01)
eventually("readers see the points", lambda: sorted(one.value for one in client.metric_points.list(metric.id))[-1:] == [21.5])

window = client.schedules.create(
    name="A new database",
    status=enums.SCHEDULE_STATUS_UPCOMING,
    message="Ten minutes without orders.",
    scheduled_at=now + timedelta(days=2),
    completed_at=now + timedelta(days=2, hours=1),
)
assert window.attrs["human_status"] == "Upcoming", window.attrs
eventually("it is announced", lambda: [one.name for one in client.schedules.list()] == ["A new database"])

ann = client.subscribers.create(email="ann@example.com", components=[shop.id], verify=True)
again = client.subscribers.create(email="ann@example.com")
assert ann.id == again.id and ann.is_global is False, (ann.attrs, again.attrs)
assert [one.email for one in client.subscribers.list()] == ["ann@example.com"]
client.subscribers.delete(ann.id)
assert client.subscribers.count() == 0

client.schedules.delete(window.id)
client.incidents.delete(draft.id)
client.metrics.delete(metric.id)
client.components.delete(secret.id)
client.component_groups.delete(group.id)
eventually("the group is gone", lambda: client.components.get(shop.id).group_id == 0)
print("done")
