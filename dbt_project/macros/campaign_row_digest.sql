{#
    The rows of a mart by campaign: their number, and one digest of all their columns. If both are the same in two builds,
    the rows of the campaign are the same. An incremental run computes this for the campaigns that changed. `time_column`
    of the mart is a timestamp that lies within the period of its campaign.
#}
{% macro campaign_row_digest(mart, time_column=none) -%}
    {%- set columns = graph.nodes["model.sendmart." ~ mart].columns.keys() | list if execute else ["campaign_id"] -%}
    with
        {% if is_incremental() -%}
            changed_campaigns as (

                {% for name in config.get("meta").changed_keys -%}
                    {{ 'union all ' if not loop.first }} select campaign_id from {{ ref(name) }}
                {% endfor %}
            ),

            mart_rows as (

                {{
                    rows_with_key(
                        ref(mart),
                        ["campaign_id"],
                        "changed_campaigns",
                        within_periods_this_run(time_column) if time_column else "true",
                    ) | indent(4)
                }}

            )
        {%- else -%} mart_rows as (select * from {{ ref(mart) }})
        {%- endif %}

    select
        cast(campaign_id as string) as campaign_id,
        cast(count(*) as bigint) as row_count,
        cast(bit_xor({{ hash_of(columns) }}) as string) as digest
    from mart_rows
    group by campaign_id
{%- endmacro %}
