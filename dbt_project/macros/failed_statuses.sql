{# The delivery statuses of a failed message, for `in`. #}
{% macro failed_statuses() -%} ('soft_bounce', 'hard_bounce', 'deleted') {%- endmacro %}
