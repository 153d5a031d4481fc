{# Every row makes the expression true; one that comes out null fails as well. #}
{% test expression_is_true(model, expression) %}

    select * from {{ model }} where not coalesce({{ expression }}, false)

{% endtest %}
