"""The plan of a cycle's work: what runs now that the steps are done, and what is left alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from devloop.config.types import Config
from devloop.events import PlanMade, PlannedTarget, PlannedTest, Reason
from devloop.select.records import Records
from devloop.select.selection import SelectedFile, SelectedTarget
from devloop.select.steps import needed
from devloop.select.tests import Due, by_file


class Plan(msgspec.Struct, frozen=True):
    """What a cycle does after its steps.

    Args:
        tests: the test files to run, in order.
        apps: to be started or restarted.
        notes: what was left alone, and why, one sentence each.
        all_reason: where everything is selected.
    """

    tests: tuple[SelectedFile, ...] = ()
    apps: tuple[SelectedTarget, ...] = ()
    notes: tuple[str, ...] = ()
    all_reason: str | None = None


def make(
    config: Config,
    due: Due,
    apps: Collection[SelectedTarget],
    *,
    failed_steps: Collection[str] = (),
    broken: Mapping[str, str] | None = None,
    running: Collection[str] = (),
) -> Plan:
    """Make the plan of a cycle's work.

    Args:
        config: whose `needs` hold work back.
        due: the tests that are due.
        apps: that are due for a restart.
        failed_steps: what needs one of them waits.
        broken: for an app the source in its closure that does not compile.
        running: the apps that are up; one of them is not stopped for a source that does not
            compile, one that is down is tried all the same, for its message.

    Returns:
        The plan.
    """
    notes = []
    chosen = []
    for app in apps:
        bad = sorted(needed(config.steps, config.apps[app.name].needs) & set(failed_steps))
        if bad:
            notes.append(f"{app.name} is left as it is: it needs the step {bad[0]}, which failed")
        elif broken and app.name in broken and app.name in running:
            notes.append(f"{app.name} keeps running: {broken[app.name]} does not compile")
        else:
            chosen.append(app)
    tests = due.files
    bad = sorted(needed(config.steps, config.tests.needs) & set(failed_steps))
    if bad and tests:
        notes.append(f"the tests wait: they need the step {bad[0]}, which failed")
        tests = ()
    return Plan(tests, tuple(chosen), tuple(notes), due.all_reason if tests else None)


def as_event(
    plan: Plan,
    steps: Collection[SelectedTarget],
    records: Records,
    test_files: Collection[str],
    *,
    held: int = 0,
) -> PlanMade:
    """Say what a plan holds.

    Args:
        plan: the plan.
        steps: those that were looked at in this cycle.
        records: to name the single tests of a file that is due as a whole.
        test_files: all that there are.
        held: how many tests are due that filters leave out.

    Returns:
        The event.
    """
    known = by_file(records)
    tests: list[PlannedTest] = []
    for file in plan.tests:
        tests.extend(planned(file, [verdict.nodeid for verdict in known.get(file.path, ())]))
    # A file that holds no test, as a module without doctests, counts only until that is known.
    total = sum(
        len(known.get(path, ())) or records.collected.get(path, 0) <= 0 for path in test_files
    )
    return PlanMade(
        steps=targets(steps),
        apps=targets(plan.apps),
        tests=tuple(tests),
        selected=len(tests),
        total=max(total, len(tests)),
        all=plan.all_reason is not None,
        all_reason=plan.all_reason,
        note="; ".join(plan.notes) or None,
        held=held,
    )


def planned(file: SelectedFile, known: Collection[str]) -> list[PlannedTest]:
    """The single tests of a selected file.

    Args:
        file: as selected.
        known: the tests that it is known to hold; none before anything has been collected.

    Returns:
        One for each; the file itself where its tests are not known.
    """
    nodeids = file.nodeids or tuple(known) or (file.path,)
    return [PlannedTest(nodeid, file.reason_of(nodeid)) for nodeid in nodeids]


def targets(selected: Collection[SelectedTarget]) -> tuple[PlannedTarget, ...]:
    """Steps or apps as events name them.

    Args:
        selected: with their reasons.

    Returns:
        The same, in the words of the contract.
    """
    return tuple(PlannedTarget(target.name, target.reason) for target in selected)


def at_start(names: Collection[str]) -> tuple[SelectedTarget, ...]:
    """Everything of a kind, because devloop starts.

    Args:
        names: of steps or apps.

    Returns:
        Each with that reason.
    """
    return tuple(SelectedTarget(name, Reason("start", (name,))) for name in names)
