{# SQL that DuckDB and Spark write differently, and nothing else. Each macro has a `duckdb__…` and a `spark__…` version. #}
{# A 64-bit hash of some columns; null is a value. Equal values have equal hashes. Different values may share a hash. #}
{% macro hash_of(columns) -%} {{ adapter.dispatch("hash_of")(columns) }} {%- endmacro %}

{% macro spark__hash_of(columns) -%} xxhash64({{ columns | join(", ") }}) {%- endmacro %}

{% macro duckdb__hash_of(columns) -%} hash({{ columns | join(", ") }}) {%- endmacro %}


{# Converts a UTC timestamp to microseconds since 1970, and back. #}
{% macro microseconds_of(timestamp) -%} {{ adapter.dispatch("microseconds_of")(timestamp) }} {%- endmacro %}

{# `timestamp` has no time zone here. These two functions of Spark take timestamps with a time zone; the session's is UTC. #}
{% macro spark__microseconds_of(timestamp) -%} unix_micros(cast({{ timestamp }} as timestamp_ltz)) {%- endmacro %}

{% macro duckdb__microseconds_of(timestamp) -%} epoch_us({{ timestamp }}) {%- endmacro %}

{% macro timestamp_of(microseconds) -%} {{ adapter.dispatch("timestamp_of")(microseconds) }} {%- endmacro %}

{% macro spark__timestamp_of(microseconds) -%} cast(timestamp_micros({{ microseconds }}) as timestamp) {%- endmacro %}

{% macro duckdb__timestamp_of(microseconds) -%} make_timestamp({{ microseconds }}) {%- endmacro %}


{#
    Packs two non-negative integers into one value that sorts by the first, then by the second; `unpack_first` and
    `unpack_second` take them out again. The second is below 2^40. The value is null if the first is null.
#}
{% macro pack_pair(first, second) -%} {{ adapter.dispatch("pack_pair")(first, second) }} {%- endmacro %}

{% macro spark__pack_pair(first, second) -%}
    case when {{ first }} is not null then named_struct('first', {{ first }}, 'second', {{ second }}) end
{%- endmacro %}

{% macro duckdb__pack_pair(first, second) -%}
    cast({{ first }} as hugeint) * 1099511627776 + {{ second }}
{%- endmacro %}

{% macro unpack_first(number) -%} {{ adapter.dispatch("unpack_first")(number) }} {%- endmacro %}

{% macro spark__unpack_first(pair) -%} {{ pair }}.first {%- endmacro %}

{% macro duckdb__unpack_first(number) -%} cast({{ number }} >> 40 as bigint) {%- endmacro %}

{% macro unpack_second(number) -%} {{ adapter.dispatch("unpack_second")(number) }} {%- endmacro %}

{% macro spark__unpack_second(pair) -%} {{ pair }}.second {%- endmacro %}

{% macro duckdb__unpack_second(number) -%} cast({{ number }} & 1099511627775 as bigint) {%- endmacro %}


{#
    The same for three integers. The third is below 2^22. `unpack_first_of_three`, `unpack_second_of_three` and `unpack_third`
    take them out again.
#}
{% macro pack_three(first, second, third) -%} {{ adapter.dispatch("pack_three")(first, second, third) }} {%- endmacro %}

{% macro spark__pack_three(first, second, third) -%}
    case
        when {{ first }} is not null
        then named_struct('first', {{ first }}, 'second', {{ second }}, 'third', {{ third }})
    end
{%- endmacro %}

{% macro duckdb__pack_three(first, second, third) -%}
    cast({{ first }} as hugeint) * 4611686018427387904 + {{ second }} * 4194304 + {{ third }}
{%- endmacro %}

{% macro unpack_first_of_three(number) -%} {{ adapter.dispatch("unpack_first_of_three")(number) }} {%- endmacro %}

{% macro spark__unpack_first_of_three(three) -%} {{ three }}.first {%- endmacro %}

{% macro duckdb__unpack_first_of_three(number) -%} cast({{ number }} >> 62 as bigint) {%- endmacro %}

{% macro unpack_second_of_three(number) -%} {{ adapter.dispatch("unpack_second_of_three")(number) }} {%- endmacro %}

{% macro spark__unpack_second_of_three(three) -%} {{ three }}.second {%- endmacro %}

{% macro duckdb__unpack_second_of_three(number) -%} cast(({{ number }} >> 22) & 1099511627775 as bigint) {%- endmacro %}

{% macro unpack_third(number) -%} {{ adapter.dispatch("unpack_third")(number) }} {%- endmacro %}

{% macro spark__unpack_third(three) -%} {{ three }}.third {%- endmacro %}

{% macro duckdb__unpack_third(number) -%} cast({{ number }} & 4194303 as integer) {%- endmacro %}


{# Converts a date to days since the first day of year 1, and back. #}
{% macro days_of(date) -%} {{ adapter.dispatch("days_of")(date) }} {%- endmacro %}

{% macro spark__days_of(date) -%} datediff({{ date }}, cast('0001-01-01' as date)) {%- endmacro %}

{% macro duckdb__days_of(date) -%} cast({{ date }} - date '0001-01-01' as integer) {%- endmacro %}

{% macro date_of(days) -%} {{ adapter.dispatch("date_of")(days) }} {%- endmacro %}

{% macro spark__date_of(days) -%} date_add(cast('0001-01-01' as date), {{ days }}) {%- endmacro %}

{% macro duckdb__date_of(days) -%} date '0001-01-01' + {{ days }} {%- endmacro %}


{# The type of a delivery status within a build: one of five words. DuckDB stores an enum as a number. #}
{% macro delivery_status_type() -%} {{ adapter.dispatch("delivery_status_type")() }} {%- endmacro %}

{% macro spark__delivery_status_type() -%} string {%- endmacro %}

{% macro duckdb__delivery_status_type() -%}
    enum('delivered', 'pending', 'soft_bounce', 'hard_bounce', 'deleted')
{%- endmacro %}


{#
    An amount, decimal(18,4) and not negative, times an exchange rate, decimal(20,10): the exact product, rounded half up to
    decimal(18,2). Null if that does not fit.
#}
{% macro converted_amount(amount, rate) -%} {{ adapter.dispatch("converted_amount")(amount, rate) }} {%- endmacro %}

{#
    Spark rounds a product of 38 digits to 13 decimal places. Therefore it multiplies the part before the point, whose product
    must fit anyway, and the part after it.
#}
{% macro spark__converted_amount(amount, rate) -%}
    try_cast(
        round(
            try_cast(floor({{ amount }}) * {{ rate }} as decimal(27, 10))
            + cast({{ amount }} - floor({{ amount }}) as decimal(4, 4)) * {{ rate }},
            2
        ) as decimal(18, 2)
    )
{%- endmacro %}

{# The cast: DuckDB gives the product of the two the type decimal(20,14), which has six digits before the point. #}
{% macro duckdb__converted_amount(amount, rate) -%}
    try_cast(round(cast({{ amount }} as decimal(38, 4)) * {{ rate }}, 2) as decimal(18, 2))
{%- endmacro %}


{# The type of whole numbers of up to 38 digits, and the whole quotient of two of them that are not negative. #}
{% macro wide_integer_type() -%} {{ adapter.dispatch("wide_integer_type")() }} {%- endmacro %}

{% macro spark__wide_integer_type() -%} decimal(38, 0) {%- endmacro %}

{% macro duckdb__wide_integer_type() -%} hugeint {%- endmacro %}

{% macro whole_quotient(dividend, divisor) -%}
    {{ adapter.dispatch("whole_quotient")(dividend, divisor) }}
{%- endmacro %}

{% macro spark__whole_quotient(dividend, divisor) -%} ({{ dividend }}) div({{ divisor }}) {%- endmacro %}

{% macro duckdb__whole_quotient(dividend, divisor) -%} divide({{ dividend }}, {{ divisor }}) {%- endmacro %}


{#
    A cost, decimal(18,6) and not negative, times an exchange rate, decimal(20,10): the exact product, rounded half up to
    decimal(18,6). Null if that does not fit.
#}
{% macro converted_cost(cost, rate) -%} {{ adapter.dispatch("converted_cost")(cost, rate) }} {%- endmacro %}

{# In two parts, as above. #}
{% macro spark__converted_cost(cost, rate) -%}
    try_cast(
        round(
            try_cast(floor({{ cost }}) * {{ rate }} as decimal(23, 10))
            + cast({{ cost }} - floor({{ cost }}) as decimal(6, 6)) * {{ rate }},
            6
        ) as decimal(18, 6)
    )
{%- endmacro %}

{% macro duckdb__converted_cost(cost, rate) -%}
    try_cast(round(cast({{ cost }} as decimal(38, 6)) * {{ rate }}, 6) as decimal(18, 6))
{%- endmacro %}


{# Whether a text contains one of several texts. #}
{% macro contains_any(text, parts) -%} {{ adapter.dispatch("contains_any")(text, parts) }} {%- endmacro %}

{# Spark parses a long chain of `or` by recursion, and its stack overflows. #}
{% macro spark__contains_any(text, parts) -%}
    {%- set literals = [] -%}
    {%- for part in parts -%} {%- do literals.append(text_literal(part)) -%} {%- endfor -%}
    exists (array({{ literals | join(", ") }}), part -> contains({{ text }}, part))
{%- endmacro %}

{% macro duckdb__contains_any(text, parts) -%}
    {%- for part in parts -%}
        contains({{ text }}, {{ text_literal(part) }}) {{- "\n or " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{#
    Whether a text of the lake matches a regular expression anywhere, and a text as a literal. The expression is in the syntax
    that RE2, Python and Java share, and means what it means in RE2.
#}
{% macro matches_regex(text, expression) -%} {{ adapter.dispatch("matches_regex")(text, expression) }} {%- endmacro %}

{#
    As RE2, Java then ignores case outside of ASCII, too (u), and knows no line end but the line feed (d). Java's `$` also
    matches before a line feed at the end, but texts of the lake are trimmed.
#}
{% macro spark__matches_regex(text, expression) -%}
    {{ text }} rlike {{ text_literal("(?du)" ~ expression) }}
{%- endmacro %}

{% macro duckdb__matches_regex(text, expression) -%}
    regexp_matches({{ text }}, {{ text_literal(expression) }})
{%- endmacro %}

{% macro text_literal(text) -%} {{ return(adapter.dispatch("text_literal")(text)) }} {%- endmacro %}

{% macro spark__text_literal(text) -%} {{ return("'" ~ in_spark_literal(text) ~ "'") }} {%- endmacro %}

{% macro duckdb__text_literal(text) -%} {{ return("'" ~ (text | replace("'", "''")) ~ "'") }} {%- endmacro %}


{# Fails the build with a message, where it is evaluated; else it would have the type `data_type`. #}
{% macro error_in_place_of_amount(message, data_type="decimal(18, 2)") -%}
    {{ adapter.dispatch("error_in_place_of_amount")(message, data_type) }}
{%- endmacro %}

{% macro spark__error_in_place_of_amount(message, data_type) -%}
    cast(raise_error({{ message }}) as {{ data_type }})
{%- endmacro %}

{% macro duckdb__error_in_place_of_amount(message, data_type) -%}
    cast(error({{ message }}) as {{ data_type }})
{%- endmacro %}


{# A pre-hook: how a table is compressed. `purpose` is `build` for tables that only a build reads, else `publication`. #}
{% macro set_compression(purpose) -%} {{ adapter.dispatch("set_compression")(purpose) }} {%- endmacro %}

{% macro spark__set_compression(purpose) -%} {%- endmacro %}

{# Analysing ids for the best compression takes most of the time of writing them, and makes a table three times smaller. #}
{% macro duckdb__set_compression(purpose) -%}
    {%- set methods = "fsst,dict_fsst,dictionary" if purpose == "build" else "" -%}
    {{ "set disabled_compression_methods = '" ~ methods ~ "'" }}
{%- endmacro %}


{#
    How a model is materialized: as given on DuckDB, as a table on Spark. On Spark every refresh computes all rows, so that
    no model is incremental, and a view would be computed again for each query.
#}
{% macro incremental_or_table(materialization) -%}
    {{ return(adapter.dispatch("incremental_or_table")(materialization)) }}
{%- endmacro %}

{% macro spark__incremental_or_table(materialization) -%} {{ return("table") }} {%- endmacro %}

{% macro duckdb__incremental_or_table(materialization) -%} {{ return(materialization) }} {%- endmacro %}


{# Sorts the rows of a table, if later builds read them faster in that order. #}
{% macro stored_in_order_of(column) -%} {{ adapter.dispatch("stored_in_order_of")(column) }} {%- endmacro %}

{% macro spark__stored_in_order_of(column) -%} {%- endmacro %}

{% macro duckdb__stored_in_order_of(column) -%} order by {{ column }} {%- endmacro %}


{#
    A number for each row of a stored table, to join the table with itself; where there is none, the table's key. An inner query
    over few columns is then joined with the others.
#}
{% macro row_number_in(table, key) -%} {{ adapter.dispatch("row_number_in")(table, key) }} {%- endmacro %}

{% macro spark__row_number_in(table, key) -%} {{ key }} {%- endmacro %}

{% macro duckdb__row_number_in(table, key) -%} {{ key if table.is_cte else "rowid" }} {%- endmacro %}


{#
    The rows of a large stored table whose key occurs in another relation. `where` is a condition that holds for all of these
    rows and rules out most of the table. The caller may add conditions with `and`.
#}
{% macro rows_with_key(table, key, keys_relation, where="true") -%}
    {{ adapter.dispatch("rows_with_key")(table, key, keys_relation, where) }}
{%- endmacro %}

{% macro spark__rows_with_key(table, key, keys_relation, where) -%}
    select * from {{ table }} left semi join {{ keys_relation }} using ({{ key | join(", ") }}) where {{ where }}
{%- endmacro %}

{#
    DuckDB would read all columns of all rows before it joins. The inner query reads only the columns of the key and finds
    the row ids. A common table expression, the input of a unit test, has no row ids.
#}
{% macro duckdb__rows_with_key(table, key, keys_relation, where) -%}
    select *
    from {{ table }}
    {%- if table.is_cte %} semi join {{ keys_relation }} using ({{ key | join(", ") }}) where {{ where }}
    {%- else %}
        where
            {{ where }}
            and rowid in (
                select stored.rowid
                from {{ table }} as stored
                semi join {{ keys_relation }} using ({{ key | join(", ") }})
                where {{ where }}
            )
    {%- endif %}
{%- endmacro %}


{#
    Percentiles by nearest rank: of n values in ascending order the one at place ceil(n * percent / 100); null without values.
    `percentile_values` is an aggregate over the rows for which `condition` holds. `percentile_from` takes one percentile out of
    its result; `position` is the place of the percentile in `percents`, from 1.
#}
{% macro percentile_values(value, percents, condition) -%}
    {{ adapter.dispatch("percentile_values")(value, percents, condition) }}
{%- endmacro %}

{% macro percentile_from(values, percents, position) -%}
    {{ adapter.dispatch("percentile_from")(values, percents, position) }}
{%- endmacro %}

{# `percentile_disc` of Spark computes the place in floating point. #}
{% macro spark__percentile_values(value, percents, condition) -%}
    array_sort(collect_list({{ value }}) filter (where {{ condition }}))
{%- endmacro %}

{% macro spark__percentile_from(values, percents, position) -%}
    case
        when size({{ values }}) > 0
        then
            element_at(
                {{ values }},
                cast((cast(size({{ values }}) as bigint) * {{ percents[position - 1] }} + 99) div 100 as int)
            )
    end
{%- endmacro %}

{# DuckDB computes the place in integers if the fractions are decimals. #}
{% macro duckdb__percentile_values(value, percents, condition) -%}
    {%- set fractions = [] -%}
    {%- for percent in percents -%} {%- do fractions.append("%.2f" | format(percent / 100)) -%} {%- endfor -%}
    quantile_disc({{ value }}, [{{ fractions | join(", ") }}]) filter (where {{ condition }})
{%- endmacro %}

{% macro duckdb__percentile_from(values, percents, position) -%}
    list_extract({{ values }}, {{ position }})
{%- endmacro %}


{# The date of a UTC timestamp in a time zone. #}
{% macro date_in_time_zone(timestamp, time_zone) -%}
    {%- if time_zone == "UTC" -%} cast({{ timestamp }} as date)
    {%- else -%} {{ adapter.dispatch("date_in_time_zone")(timestamp, time_zone) }}
    {%- endif -%}
{%- endmacro %}

{% macro spark__date_in_time_zone(timestamp, time_zone) -%}
    cast(from_utc_timestamp(cast({{ timestamp }} as timestamp_ltz), '{{ time_zone }}') as date)
{%- endmacro %}

{% macro duckdb__date_in_time_zone(timestamp, time_zone) -%}
    cast(timezone('{{ time_zone }}', timezone('UTC', {{ timestamp }})) as date)
{%- endmacro %}
