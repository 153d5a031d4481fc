"""Percentiles of delivery times: those of PostgreSQL's percentile_disc, which is the nearest rank."""

import random

import duckdb
import psycopg2

from tests.oracle.insights_delivery import PERCENTILES, nearest_rank
from tests.postgres import DATABASE, USER, postgres

SHARES = [percent / 100 for percent in PERCENTILES.values()]
# At 20 and 100 times, a percentile is exactly the last of its share.
LENGTHS = (1, 2, 3, 10, 19, 20, 21, 99, 100, 101, 200)


def test_percentiles_are_those_of_postgresql() -> None:
    rng = random.Random(5)
    times = {length: [rng.randrange(length) for _ in range(length)] for length in LENGTHS}
    lengths = [length for length in LENGTHS for _ in range(length)]
    values = [time for of_length in times.values() for time in of_length]
    with postgres() as server:
        connection = psycopg2.connect(
            host=server["DAGSTER_POSTGRES_HOST"],
            port=server["DAGSTER_POSTGRES_PORT"],
            dbname=DATABASE,
            user=USER,
            password=server["DAGSTER_POSTGRES_PASSWORD"],
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select length, percentile_disc(%s::double precision[]) within group (order by time_ms)"
                " from unnest(%s::int[], %s::bigint[]) as times (length, time_ms) group by length",
                [SHARES, lengths, values],
            )
            by_postgresql = dict(cursor.fetchall())
        connection.close()
    by_oracle = {
        length: [nearest_rank(of_length, percent) for percent in PERCENTILES.values()]
        for length, of_length in times.items()
    }
    assert by_oracle == by_postgresql
    with duckdb.connect() as connection:
        by_duckdb = connection.execute(
            f"select length, quantile_disc(time_ms, {SHARES})"
            " from (select unnest(?::int[]) as length, unnest(?::bigint[]) as time_ms) group by length",
            [lengths, values],
        ).fetchall()
    assert dict(by_duckdb) == by_postgresql
