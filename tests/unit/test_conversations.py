"""Which messages stay within a budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from src.agents.conversations import Message, trim_to_budget


def message(tokens: int, role: str = "user", content: str = "x") -> Message:
    return Message.model_validate({"role": role, "content": content, "tokens": tokens, "time": 0.0})


MESSAGES = st.lists(
    st.builds(message, st.integers(1, 20), st.sampled_from(["system", "user", "assistant"])),
    min_size=1,
    max_size=12,
)


@given(MESSAGES, st.integers(20, 100))
def test_what_stays_fits_the_budget_in_its_order_and_nothing_goes_without_need(
    messages: list[Message], budget: int
) -> None:
    kept, dropped = trim_to_budget(messages, budget)
    assert sum(one.tokens for one in kept) <= budget
    assert len(kept) + dropped == len(messages)
    assert kept[-1] is messages[-1]
    places = [next(i for i, one in enumerate(messages) if one is other) for other in kept]
    assert places == sorted(places)
    if sum(one.tokens for one in messages) <= budget:
        assert dropped == 0


def test_the_oldest_goes_first_and_system_messages_last() -> None:
    messages = [
        message(5, "system", "rules"),
        message(5, content="a"),
        message(5, content="b"),
        message(5, content="c"),
    ]
    assert [one.content for one in trim_to_budget(messages, 16).kept] == ["rules", "b", "c"]
    assert [one.content for one in trim_to_budget(messages, 6).kept] == ["c"]
