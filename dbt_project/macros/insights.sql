{# SQL that several models of the insights share. #}
{#
    The link of a click: the URL up to the first `?` or `#`, with scheme and host in lower case. These are what comes before
    the first `/` after `://`; without a `://`, what comes before the first `/`.
#}
{% macro link_of(url) -%}
    {%- set link = "regexp_extract(" ~ url ~ ", '^[^?#]*', 0)" -%}
    {%- set host = "regexp_extract(" ~ link ~ ", '^(?:(?s:.*?)://)?[^/]*', 0)" -%}
    ({{ ascii_lower(host) }}) || substr({{ link }}, length({{ host }}) + 1)
{%- endmacro %}


{#
    The lengths of the prefixes in the seed `number_prefixes`, the longest first. A unit test gives them with an override: its
    seed is no table.
#}
{% macro prefix_lengths() -%}
    {%- if not execute or model.resource_type == "unit_test" -%} {{ return([1]) }} {%- endif -%}
    {%- set lengths = run_query(
        "select length(prefix) from "
        ~ ref("number_prefixes")
        ~ " group by length(prefix) order by length(prefix) desc"
    ) -%}
    {{ return(lengths.rows | map(attribute=0) | list or [1]) }}
{%- endmacro %}


{#
    A condition on a user agent: it holds a pattern of the seed `bot_user_agents`. The patterns are constants: DuckDB compiles
    a constant regular expression once. Plain texts are searched as such. A unit test gives the patterns with an override of
    `bot_patterns`.
#}
{% macro is_bot_user_agent(user_agent) -%}
    {%- set patterns = bot_patterns() -%}
    {%- set conditions = [] -%}
    {%- if patterns.literals -%} {%- do conditions.append(contains_any(user_agent, patterns.literals)) -%} {%- endif -%}
    {%- for expressions in patterns.expressions | batch(100) -%}
        {%- do conditions.append(matches_regex(user_agent, "(?:" ~ expressions | join(")|(?:") ~ ")")) -%}
    {%- endfor -%}
    {{ return("(" ~ (conditions | join("\n or ") or "false") ~ ")") }}
{%- endmacro %}

{% macro bot_patterns() -%}
    {%- set patterns = {"literals": [], "expressions": []} -%}
    {%- if execute and model.resource_type != "unit_test" -%}
        {%- for row in run_query(
            "select pattern, literal from "
            ~ ref("bot_user_agents")
            ~ " where pattern is not null order by pattern"
        ).rows -%}
            {%- if row[1] is none -%} {%- do patterns.expressions.append(row[0]) -%}
            {%- else -%} {%- do patterns.literals.append(row[1]) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(patterns) }}
{%- endmacro %}


{# A condition on a click: it came less than `bot_click_seconds` after its message. Whole milliseconds are compared. #}
{% macro is_too_fast(microseconds) -%}
    coalesce({{ milliseconds_of(microseconds) }} < 1000 * {{ var("bot_click_seconds") }}, false)
{%- endmacro %}
