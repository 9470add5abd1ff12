"""What a scenario is called: in the report, in a test plan, in an Allure history."""

from behave.model import Feature, Rule, Scenario


def containers_of(scenario: Scenario) -> list[Feature | Rule]:
    """The feature, and the rule where there is one."""
    parent, found = scenario.parent, [scenario.feature]
    while parent is not None:
        if isinstance(parent, Rule):
            found.append(parent)
        parent = getattr(parent, "parent", None)
    return found


def plain_name(scenario: Scenario) -> str:
    """The scenario's name without Behave's mark for its place in the examples table (`-- @1.1`)."""
    return str(scenario.name).split(" -- @")[0] or str(scenario.keyword)


def title(scenario: Scenario) -> str:
    """A name which tells the rows of an outline apart, also where its text names none of the values."""
    name, row = plain_name(scenario), scenario._row
    if row is None or name != scenario.parent.name:
        return name
    return f"{name} [{', '.join(row.cells)}]"


def full_name(scenario: Scenario) -> str:
    """Feature, rule and scenario; the selector in an Allure test plan."""
    return ": ".join([*(part.name for part in containers_of(scenario)), plain_name(scenario)])


def tags_of(scenario: Scenario) -> list[str]:
    """The tags of feature, rule and scenario, outermost first."""
    inherited = [tag for part in containers_of(scenario) for tag in part.tags]
    return [*inherited, *(tag for tag in scenario.tags if tag not in inherited)]
