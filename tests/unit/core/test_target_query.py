"""Which devices a query stands for, what it says of those that it leaves out, and how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.core.device_traits import DeviceKind, DeviceTraits
from harness.core.target_query import (
    LONGEST_VALUE,
    MOST_CONDITIONS,
    Comparison,
    Condition,
    TargetQuery,
    Trait,
    explain_no_match,
)
from harness.core.target_query_parser import LONGEST_QUERY, is_target_query, parse_target_query
from harness.errors import ExitStatus, UsageError

ADAS = DeviceTraits(
    kind=DeviceKind.IPHONE,
    udid="00008120-000A1B2C3D4E5F60",
    model="iPhone15,2",
    ios="18.10.1",
    name="Ada’s iPhone",
    is_virtual=False,
    host="desk1.lab",
)
UNTRUSTED = DeviceTraits(kind=DeviceKind.IPHONE, udid="00008130-0001")
VIRTUAL = DeviceTraits(kind=DeviceKind.IPHONE, udid="v", model="iPhone14,5", ios="17.6", is_virtual=True)
DESK = DeviceTraits(kind=DeviceKind.LOCAL, host="desk1.lab")


@pytest.mark.parametrize(
    "query",
    [
        "iphone",
        "iphone where model=iPhone15,*",
        "IPHONE Where MODEL = iphone15,2 AND iOS >= 18",
        "iphone where model!=iPhone15,1 and model=iPhone1?,?",
        "iphone where udid=00008120000a1b2c3d4e5f60",
        "iphone where udid=00008120-*",
        'iphone where name="ada\'s iphone"',
        "iphone where name='Ada’s *' and host=desk?.lab and class=iphone",
        "iphone where class!=virtual",
        "iphone where ios=18 and ios=18.10 and ios=18.10.1 and ios=18.* and ios!=18.1 and ios!=18.1.*",
        # 10 is above 9, and what was not asked for is not compared.
        "iphone where ios>18.9 and ios>=18.10 and ios<=18 and ios<=18.10 and ios<18.11 and ios<19",
        "iphone where ios>18.10.0 and ios<=18.10.1",
    ],
)
def test_what_a_query_finds(query: str) -> None:
    assert parse_target_query(query).matches(ADAS)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("local", "is iphone, not local"),
        ("iphone where model=iPhone14,*", "model is not iPhone14,*"),
        ("iphone where model=iPhone15", "model is not iPhone15"),
        ("iphone where model!=iphone15,*", "model is iphone15,*"),
        ("iphone where model=[i]*", "model is not [i]*"),
        ("iphone where ios>=18.11", "iOS is below 18.11"),
        ("iphone where ios<=18.9", "iOS is above 18.9"),
        ("iphone where ios>18", "iOS is not above 18"),
        ("iphone where ios<18.10", "iOS is not below 18.10"),
        ("iphone where ios=18.1", "iOS is not 18.1"),
        ("iphone where ios!=18", "iOS is 18"),
        ("iphone where ios=18.1?", "iOS is not 18.1?"),
        ("iphone where class=virtual and host!=desk*", "class is not virtual, host is desk*"),
    ],
)
def test_what_keeps_a_phone_out(query: str, why: str) -> None:
    parsed = parse_target_query(query)
    assert not parsed.matches(ADAS)
    assert explain_no_match(parsed, [ADAS]) == (f"Ada’s iPhone (iPhone15,2 iOS 18.10.1): {why}",)


def test_only_what_does_not_match_is_explained() -> None:
    query = parse_target_query("iphone where model=iPhone15,* and ios>=18")
    assert explain_no_match(query, [ADAS, VIRTUAL, UNTRUSTED, DESK]) == (
        "iPhone14,5 iOS 17.6: model is not iPhone15,*, iOS is below 18",
        "00008130-0001: model is not known, iOS is not known",
        "desk1.lab: is local, not iphone",
    )


@pytest.mark.parametrize("operator", list(Comparison))
def test_what_a_phone_does_not_tell_meets_no_condition(operator: Comparison) -> None:
    """Not even that it is unlike something."""
    assert not parse_target_query("iphone where class=iphone").matches(UNTRUSTED)
    assert not parse_target_query(f"iphone where ios{operator}18").matches(UNTRUSTED)
    strange = UNTRUSTED.model_copy(update={"ios": "beta"})
    assert not parse_target_query(f"iphone where ios{operator}18").matches(strange)


@pytest.mark.parametrize(
    ("query", "is_undecided"),
    [
        ("iphone", False),
        ("iphone where ios>18", True),
        ("iphone where udid=00008130* and class=iphone and ios=18.*", True),
        ("iphone where udid!=00008130-0001 and ios>18", False),
        ("iphone where udid=00008130-0001", False),
        ("local", False),
    ],
)
def test_what_a_phone_does_not_tell_may_leave_a_query_undecided(query: str, is_undecided: bool) -> None:
    assert parse_target_query(query).is_undecided(UNTRUSTED) is is_undecided
    assert not parse_target_query(query).is_undecided(ADAS)


@given(
    has=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    asked=st.lists(st.integers(0, 30), min_size=1, max_size=4),
)
def test_exactly_one_order_holds(has: list[int], asked: list[int]) -> None:
    phone = DeviceTraits(kind=DeviceKind.IPHONE, ios=".".join(map(str, has)))
    version = ".".join(map(str, asked))
    holds = {op for op in Comparison if parse_target_query(f"iphone where ios{op}{version}").matches(phone)}
    padded = [*has, 0, 0, 0][: len(asked)]
    if padded == asked:
        assert holds == {Comparison.EQUAL, Comparison.AT_LEAST, Comparison.AT_MOST}
    elif padded > asked:
        assert holds == {Comparison.NOT_EQUAL, Comparison.AT_LEAST, Comparison.ABOVE}
    else:
        assert holds == {Comparison.NOT_EQUAL, Comparison.AT_MOST, Comparison.BELOW}


def test_a_computer_is_chosen_by_its_host() -> None:
    query = parse_target_query("local where host=desk*")
    assert query.matches(DESK)
    assert not query.matches(ADAS)


def test_a_hostile_name_is_shown_without_its_controls() -> None:
    phone = DeviceTraits(kind=DeviceKind.IPHONE, name="\x1b[2Jmine\n", model="iPhone15,2")
    assert explain_no_match(parse_target_query("local"), [phone]) == (
        "\ufffd[2Jmine\ufffd (iPhone15,2): is iphone, not local",
    )


def test_many_stars_are_matched_at_once() -> None:
    phone = DeviceTraits(kind=DeviceKind.IPHONE, name="a" * 500)
    assert not parse_target_query(f"iphone where name={'*a' * 90}*b").matches(phone)


@pytest.mark.parametrize(
    ("text", "position", "problem", "next_step"),
    [
        ("", 1, "empty", "iphone or local"),
        ("   ", 4, "empty", "iphone or local"),
        ("moon where x=1", 1, "no kind of device 'moon'", "iphone or local"),
        ("iphone were model=x", 8, "'were' stands where 'where' is expected after iphone", "iphone where"),
        ("iphone model=x", 8, "'model' stands where 'where'", "iphone where"),
        ("iphone =x", 8, "'=' stands where 'where'", "iphone where"),
        ("iphone where", 13, "missing after 'where'", "FIELD=VALUE"),
        ("iphone where =x", 14, "missing after 'where'", "FIELD=VALUE"),
        ("iphone where modle=x", 14, "'modle' (is 'model' meant?)", "udid, model, ios, name, class, host"),
        ("iphone where colour=x", 14, "no field 'colour'", "udid, model"),
        ("iphone where model", 19, "model is not compared", "model=iPhone15,*"),
        ("iphone where model x", 20, "model is not compared", "model=iPhone15,*"),
        ("iphone where ios=>18", 17, "no operator '=>' (is '>=' meant?)", "= != >= <= > <"),
        ("iphone where ios==18", 17, "'==' (is '=' meant?)", "= !="),
        ("iphone where ios=", 18, "value of ios is empty", "ios=18.5"),
        ('iphone where name=""', 19, "value of name is empty", "name=desk*"),
        ('iphone where name="  "', 19, "value of name is empty", "name=desk*"),
        ("iphone where model= and ios>=18", 21, "value of model is empty", "model=iPhone15,*"),
        ("iphone where model=x and", 25, "missing after 'and'", "FIELD=VALUE"),
        ("iphone where model=x and and ios=18", 26, "no field 'and'", "udid, model"),
        ("iphone where model=x or ios=18", 22, "'or' stands where 'and' is expected", "and"),
        ("iphone where model=x, ios=18", 23, "'ios' stands where 'and'", "and"),
        ("iphone where model=x=y", 21, "'=' stands right after a value", "quotes"),
        ('iphone where name="a"b', 22, "'b' stands right after a value", "space"),
        ('iphone where name="a', 19, 'quote " is not closed', 'with "'),
        ("iphone where model>=iPhone15,2", 21, "model has no order", "only ios"),
        ("iphone where ios>=18.*", 19, "'18.*' is no version to compare with", "ios>=18.5"),
        ("iphone where ios>=new", 19, "'new' is no version", "ios>=18.5"),
        ("iphone where ios=eighteen", 18, "'eighteen' is no iOS version", "ios=18.*"),
        ("iphone where class=real", 20, "no class 'real'", "iphone or virtual"),
        ("local where model=x", 13, "local has no model", "host"),
        ("iphone where name=a\x1b[2J", 20, "U+001B is a control character", "spaces"),
        ("iphone where name='a\ud800'", 21, "U+D800", "spaces"),
        (f"iphone where name={'x' * (LONGEST_VALUE + 1)}", 19, f"at most {LONGEST_VALUE}", "pattern"),
        (
            "iphone where " + " and ".join(["host=x"] * (MOST_CONDITIONS + 1)),
            13 + 11 * MOST_CONDITIONS + 7,
            "more than 16 conditions",
            "pattern",
        ),
    ],
)
def test_what_is_no_query(text: str, position: int, problem: str, next_step: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target_query(text)
    assert caught.value.where == f"target, character {position}"
    assert problem in caught.value.problem
    assert next_step in caught.value.next_step
    assert caught.value.exit_status is ExitStatus.USAGE
    assert len(str(caught.value)) < 300


def test_a_huge_query_is_refused_unread() -> None:
    with pytest.raises(UsageError, match=f"at most {LONGEST_QUERY}"):
        parse_target_query("iphone where " + "\x00" * 10_000_000)


_PHONE_TRAITS = [trait for trait in Trait if trait not in (Trait.IOS, Trait.CLASS)]
_TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=("Cc", "Cs")), st.sampled_from("\"'*? and=,")),
    min_size=1,
    max_size=30,
).filter(lambda text: bool(text.strip()))
_VERSIONS = st.lists(st.integers(0, 999_999).map(str), min_size=1, max_size=4).map(".".join)
_CONDITIONS = st.one_of(
    st.builds(
        Condition,
        trait=st.sampled_from(_PHONE_TRAITS),
        comparison=st.sampled_from([Comparison.EQUAL, Comparison.NOT_EQUAL]),
        value=_TEXTS | st.sampled_from(["and", "AND", "where", '"', "''"]),
    ),
    st.builds(
        Condition, trait=st.just(Trait.IOS), comparison=st.sampled_from(list(Comparison)), value=_VERSIONS
    ),
)
_QUERIES = st.builds(
    TargetQuery,
    kind=st.just(DeviceKind.IPHONE),
    conditions=st.lists(_CONDITIONS, max_size=5).map(tuple),
)


@given(_QUERIES)
def test_a_query_is_written_as_it_is_read(query: TargetQuery) -> None:
    text = str(query)
    assert parse_target_query(text) == query
    assert is_target_query(text) is bool(query.conditions)


def test_the_longest_query_can_be_written() -> None:
    condition = Condition(trait=Trait.MODEL, comparison=Comparison.NOT_EQUAL, value='"' * LONGEST_VALUE)
    query = TargetQuery(kind=DeviceKind.IPHONE, conditions=(condition,) * MOST_CONDITIONS)
    assert parse_target_query(str(query)) == query


@given(st.text(max_size=60) | st.text("iphone where ios>=<!'\"18,.* and", max_size=60))
@settings(max_examples=300)
def test_any_text_is_a_query_or_refused_with_a_place(text: str) -> None:
    try:
        parse_target_query(text)
    except UsageError as error:
        assert error.where is not None
        position = int(error.where.removeprefix("target, character "))
        assert 1 <= position <= len(text) + 1


def test_what_is_built_wrong_is_refused_too() -> None:
    with pytest.raises(ValidationError, match="no order"):
        Condition(trait=Trait.MODEL, comparison=Comparison.ABOVE, value="18")
    ios = Condition(trait=Trait.IOS, comparison=Comparison.ABOVE, value="18")
    with pytest.raises(ValidationError, match="local has no ios"):
        TargetQuery(kind=DeviceKind.LOCAL, conditions=(ios,))


@pytest.mark.parametrize(
    ("text", "is_query"),
    [
        ("iphone where ios=18", True),
        ("iphone ios=18", True),
        ("moon where x=1", True),
        ("iphone", False),
        ("iphone:*", False),
        ("local", False),
        ("", False),
        ("replay:my runs/old", False),
        ("virtual:18.5:4", False),
    ],
)
def test_which_targets_are_queries(text: str, is_query: bool) -> None:
    assert is_target_query(text) is is_query
