{#
    The clicks that count in the marts and in attribution. With `bot_clicks: exclude`, a click of a bot does not: the models
    that read these clicks then also change with the messages that make a click a bot's.
#}
{% macro counted_clicks() -%}
    {%- if excludes_bot_clicks() -%} (select * from {{ ref("int_clicks_classified") }} where not is_bot)
    {%- else -%} {{ ref("int_clicks_deduplicated") }}
    {%- endif -%}
{%- endmacro %}


{# The name of the `*_this_run` model with the campaign_id and contact_id of the clicks that count otherwise after this run. #}
{% macro counted_clicks_this_run() -%}
    {{ return("clicked_contacts_this_run" if excludes_bot_clicks() else "clicks_this_run") }}
{%- endmacro %}


{% macro excludes_bot_clicks() -%} {{ return(var("insights") and var("bot_clicks") == "exclude") }} {%- endmacro %}
