{# Whether a row of int_clicks_classified counts outside the marts about the quality of clicks (SENDMART_BOT_CLICKS). #}
{% macro is_click_counted() -%} {{ "not is_bot" if var("bot_clicks") == "exclude" else "true" }} {%- endmacro %}
