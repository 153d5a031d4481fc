{# The expression is true for every row. A row for which it is null fails. #}
{% test expression_is_true(model, expression) %}

    select * from {{ model }} where not coalesce({{ expression }}, false)

{% endtest %}
