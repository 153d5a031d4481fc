"""The people of a campaign, by tab: by delivery status, who clicked, who ordered, who unsubscribed, whose number is suppressed;
and the contacts that it skipped. The database pages, counts and searches them.

Not here: the link to a tab (`reports.queries.campaign`), masking numbers in a page (`reports.site`), one contact's history.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.enums import Attribution, BotClicks, DeliveryStatus
from models.marts import NUMBER, NUMBER_HASH, MartColumn, published_columns
from reports.database import INSIGHTS, MARTS, Published, Row, Selection
from reports.queries.campaign import PEOPLE_TABS, Campaign, CampaignQuery, PeopleTab
from reports.queries.search import matches_each_word
from warehouse.duckdb_tools import fetch_value

STATUS_COLUMNS = {
    "contact_id": "The contact's ID.",
    NUMBER: "The number that the deciding message went to.",
    NUMBER_HASH: "Stands for the number, which was published masked: the same number, the same hash.",
    "messages_sent": "How many messages of this campaign the contact was sent.",
    "last_sent_at": "When the last of them was sent.",
    "status_at": "When the network reported the status. Without a report: when the message was sent.",
    "provider": "The provider that reported the status.",
    "provider_status": "The status in the provider's own word.",
    "error_code": "The provider's code for a failure. The reasons in words are above.",
}
"""The columns of a contact by delivery status, with what they mean. The hash is in builds with masked numbers alone."""


def _column(name: str, sql_type: str, label: str, meaning: str) -> MartColumn:
    return MartColumn(name, sql_type, True, meaning, label)


_ID = _column("contact_id", "varchar", "Contact", "The contact's ID.")
_NUMBER = _column(
    NUMBER, "varchar", "Number", "The contact's number. Empty if this campaign sent the contact no message."
)
_HASH = _column(NUMBER_HASH, "varchar", "Hash of the number", STATUS_COLUMNS[NUMBER_HASH])

_CLICKERS = (
    _column("clicks", "bigint", "Clicks", "How often the contact clicked a link of this campaign."),
    _column("human_clicks", "bigint", "By a person", "The clicks that no program made, as far as can be told."),
    _column("first_clicked_at", "timestamp", "First click", "When the contact clicked first."),
    _column("last_clicked_at", "timestamp", "Last click", "When the contact clicked last."),
)
_ORDERS_OF_CLICKER = _column("orders", "bigint", "Orders", "Orders credited to this campaign, direct and assisted.")
_ORDERS = (
    _column("order_id", "varchar", "Order", "The order's ID."),
    _column("attribution", "varchar", "Credit", "direct: the last click before the order was on this campaign; assisted: an"
            " earlier one was."),
    _column("clicked_at", "timestamp", "Clicked", "The contact's last click on this campaign before the order."),
    _column("ordered_at", "timestamp", "Ordered", "When the order was placed."),
    _column("revenue", "decimal(18,2)", "Revenue", "In the reporting currency, after refunds. Empty: it could not be converted."),
    _column("total", "decimal(18,4)", "Total", "What was ordered, in the currency of the order, before refunds."),
    _column("refunded_amount", "decimal(18,4)", "Refunded", "What was paid back, in the currency of the order."),
    _column("currency", "varchar", "Currency", "The currency of the order."),
)  # fmt: skip
_UNSUBSCRIBED = (
    _column("sent_at", "timestamp", "Last message", "When the campaign's message was sent that came last before."),
    _column("unsubscribed_at", "timestamp", "Unsubscribed", "When. Of several times, the last."),
    _column("source", "varchar", "How", "How the contact unsubscribed, as the log says it."),
)
_SUPPRESSED = (
    _column(
        "suppressed_at", "timestamp", "Suppressed since", "When the hard bounce was reported that completed the row."
    ),
)

_NUMBERS = (
    f" left join (select * from {MARTS}.delivery_status where campaign_id = $campaign_id) as sent"
    " on sent.contact_id = people.contact_id"
)


def tab_columns(tab: PeopleTab, *, is_masked: bool) -> list[MartColumn]:
    """The columns of a tab with heading (`label`) and meaning (`description`), in the order of the page."""
    if tab.status:
        by_name = {column.name: column for column in published_columns("delivery_status", is_masked=is_masked)}
        return [
            replace(by_name[name], description=meaning) for name, meaning in STATUS_COLUMNS.items() if name in by_name
        ]
    who = [_ID, _NUMBER, *([_HASH] if is_masked else [])]
    return who + list(
        {
            "clicked": (*_CLICKERS, _ORDERS_OF_CLICKER),
            "clicked_only": _CLICKERS,
            "ordered": _ORDERS,
            "unsubscribed": _UNSUBSCRIBED,
            "suppressed": _SUPPRESSED,
        }[tab.key]
    )


def people(published: Published, query: CampaignQuery, *, shows_numbers: bool) -> Selection:
    """The people of the selected tab that match the search, ordered by contact."""
    tab, conditions, parameters = query.selected_tab, [], {"campaign_id": query.campaign_id}
    order: tuple[tuple[str, bool], ...] = (("contact_id", False),)
    if query.search:
        found, words = _matches(query.search, ("contact_id",), shows_numbers=shows_numbers)
        conditions, parameters = [found], parameters | words
    if tab.status:
        conditions = ["campaign_id = $campaign_id", "delivery_status = $status", *conditions]
        parameters |= {"status": str(tab.status)}
        return Selection("delivery_status", _where(conditions), parameters, order)
    if tab.key == "ordered":
        order = (*order, ("ordered_at", False), ("order_id", False))
        if query.credit:
            conditions, parameters = [*conditions, "attribution = $credit"], parameters | {"credit": query.credit}
    headed = [(column, column.label) for column in tab_columns(tab, is_masked=published.is_masked)]
    return Selection(
        _MART_OF_TAB[tab.key], _where(conditions), parameters, order, headed, _people_sql(published, tab.key)
    )


_MART_OF_TAB = {
    "clicked": "click_quality",
    "clicked_only": "click_quality",
    "ordered": "attributed_orders",
    "unsubscribed": "attributed_unsubscribes",
    "suppressed": "suppressed_numbers",
}


def _people_sql(published: Published, tab: str) -> str:
    """The people of a tab that is no delivery status. The parameter `$campaign_id` is the campaign."""
    number = f"sent.{NUMBER}" + (f", sent.{NUMBER_HASH}" if published.is_masked else "")
    if tab == "suppressed":
        return f"select * from {MARTS}.suppressed_numbers where campaign_id = $campaign_id"
    if tab == "ordered":
        orders = f"select * from {MARTS}.attributed_orders where campaign_id = $campaign_id"
        return f"select people.*, {number} from ({orders}) as people{_NUMBERS}"
    if tab == "unsubscribed":
        # A contact may have unsubscribed several times; the tile counts contacts.
        last = (
            f"select * from {MARTS}.attributed_unsubscribes where campaign_id = $campaign_id"
            " qualify row_number() over (partition by contact_id order by unsubscribed_at desc) = 1"
        )
        return f"select people.*, {number} from ({last}) as people{_NUMBERS}"
    clickers = (
        "select contact_id, count(*) as clicks, count(*) filter (not is_bot) as human_clicks,"
        " min(clicked_at) as first_clicked_at, max(clicked_at) as last_clicked_at"
        f" from {INSIGHTS}.click_quality where campaign_id = $campaign_id{_clicks_that_count(published)} group by contact_id"
    )
    orders = (
        f"select contact_id, count(*) as orders from {MARTS}.attributed_orders where campaign_id = $campaign_id"
        " group by contact_id"
    )
    return (
        f"select people.*, coalesce(orders.orders, 0) as orders, {number} from ({clickers}) as people"
        f" left join ({orders}) as orders on orders.contact_id = people.contact_id{_NUMBERS}"
        + (" where orders.orders is null" if tab == "clicked_only" else "")
    )


def _clicks_that_count(published: Published) -> str:
    """The condition on `click_quality`, which holds all clicks."""
    return " and not is_bot" if published.settings.get("bot_clicks") == BotClicks.EXCLUDE else ""


def _where(conditions: Sequence[str]) -> str:
    return f"where {' and '.join(conditions)}" if conditions else ""


def _matches(text: str, id_columns: Sequence[str], *, shows_numbers: bool) -> tuple[str, dict[str, Any]]:
    """A contact is found by words of its id or by its whole number.

    A part of a number finds a contact only where numbers are shown: otherwise, repeated searches would reveal the number.
    """
    condition, parameters = matches_each_word(id_columns, text)
    digits = "".join(character for character in text if character.isdecimal())
    if shows_numbers and len(digits) >= 3:
        by_number, value = f"contains({NUMBER}, $number)", digits
    else:
        by_number, value = f"{NUMBER} = $number", f"+{digits.removeprefix('00')}" if digits else ""
    return f"(({condition}) or {by_number})", {**parameters, "number": value}


# --- how many


def counts(published: Published, campaign: Campaign, *, has_insights: bool) -> dict[str, int]:
    """By tab, how many people it has (orders: how many orders), from the campaign's tiles where they say so."""
    overview, metrics = campaign.overview or {}, campaign.metrics or {}
    numbers = {tab.key: overview.get(tab.tile, 0) for tab in PEOPLE_TABS if tab.status}
    parameters = {"campaign_id": campaign.campaign_id}
    (row,) = published.rows(
        "select count(*) filter (attribution = 'direct') as direct, count(*) filter (attribution = 'assisted') as assisted,"
        f" count(distinct contact_id) as contacts from {MARTS}.attributed_orders where campaign_id = $campaign_id",
        parameters,
    )
    if has_insights:
        clickers = metrics.get("unique_clickers", 0)
        numbers |= {"clicked": clickers, "clicked_only": clickers - row["contacts"]}
    suppressed = f"select count(*) from {MARTS}.suppressed_numbers where campaign_id = $campaign_id"
    return numbers | {
        "ordered": row["direct"] + row["assisted"],
        str(Attribution.DIRECT): row["direct"],
        str(Attribution.ASSISTED): row["assisted"],
        "unsubscribed": overview.get("unsubscribes", 0),
        "suppressed": int(fetch_value(published.connection, suppressed, parameters)),
    }


def found(published: Published, query: CampaignQuery, *, has_insights: bool, shows_numbers: bool) -> dict[str, int]:
    """By tab, how many people (or orders) match the search; `skipped`: how many skipped messages do.

    The contacts that the campaign was sent to are searched once: numbers of the others are nowhere.
    """
    match, parameters = _matches(query.search, ("contact_id",), shows_numbers=shows_numbers)
    by_id, _ = matches_each_word(("contact_id",), query.search)
    of_campaign = "where campaign_id = $campaign_id"
    is_found = f"({by_id} or contact_id in (select contact_id from sent))"
    orders = f"from {MARTS}.attributed_orders {of_campaign}"
    figures = {str(status): f"from sent where delivery_status = '{status}'" for status in DeliveryStatus}
    figures |= {
        "ordered": f"{orders} and {is_found}",
        **{str(credit): f"{orders} and attribution = '{credit}' and {is_found}" for credit in Attribution},
        "suppressed": f"from {MARTS}.suppressed_numbers {of_campaign} and {match}",
        "skipped": f"from {MARTS}.skip_reasons {of_campaign} and {match}",
    }
    counted = [f"(select count(*) {rows}) as {name}" for name, rows in figures.items()]
    people = {"unsubscribed": f"from {MARTS}.attributed_unsubscribes {of_campaign} and {is_found}"}
    if has_insights:
        clickers = f"from {INSIGHTS}.click_quality {of_campaign}{_clicks_that_count(published)} and {is_found}"
        people |= {
            "clicked": clickers,
            "clicked_only": f"{clickers} and contact_id not in (select contact_id {orders})",
        }
    counted += [f"(select count(distinct contact_id) {rows}) as {name}" for name, rows in people.items()]
    (numbers,) = published.rows(
        "with sent as materialized (select contact_id, delivery_status"
        f" from {MARTS}.delivery_status {of_campaign} and {match}) select {', '.join(counted)}",
        parameters | {"campaign_id": query.campaign_id},
    )
    return numbers


# --- skipped


def skipped(query: CampaignQuery, *, shows_numbers: bool) -> Selection:
    """The skipped messages that match the search, of the selected reason or of all, ordered by contact."""
    conditions, parameters = ["campaign_id = $campaign_id"], {"campaign_id": query.campaign_id}
    if query.search:
        match, words = _matches(query.search, ("contact_id",), shows_numbers=shows_numbers)
        conditions, parameters = [*conditions, match], parameters | words
    if query.skip_reason:
        conditions, parameters = [*conditions, "skip_reason = $reason"], parameters | {"reason": query.skip_reason}
    return Selection("skip_reasons", _where(conditions), parameters, (("contact_id", False), ("message_id", False)))


def skip_reasons(published: Published, campaign_id: str) -> list[Row]:
    """By skip reason, its description and the numbers of messages and contacts; the most frequent first."""
    return published.rows(
        "select skip_reason, any_value(skip_reason_details) as details, count(*) as messages,"
        f" count(distinct contact_id) as contacts from {MARTS}.skip_reasons where campaign_id = $campaign_id"
        " group by skip_reason order by messages desc, skip_reason",
        {"campaign_id": campaign_id},
    )
