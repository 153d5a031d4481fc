"""dbt is changed where it is the release that the changes were made for: a new release needs a look at each changed name."""

from importlib.metadata import version

from warehouse.transform import dbt_internals


def test_the_installed_dbt_is_the_release_that_the_changes_were_checked_with() -> None:
    assert version("dbt-core").startswith(f"{dbt_internals.CHECKED_WITH}."), (
        "check that the names in warehouse/transform/dbt_internals.py still mean the same, then raise CHECKED_WITH"
    )
