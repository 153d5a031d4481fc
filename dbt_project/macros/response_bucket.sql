{# The buckets of campaign_response: each begins after so many minutes. #}
{% macro response_buckets() -%}
    {{ return([0, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 4320, 7200, 10080]) }}
{%- endmacro %}


{# The bucket of events without a message, or before it. It comes after the others and is null in the mart. #}
{% macro response_bucket_without_message() -%} {{ return(999999) }} {%- endmacro %}


{# The bucket of an event: the greatest bound that is not above the time since its message, which may be null. #}
{% macro response_bucket(microseconds) -%}
    case
        {%- for minutes in response_buckets() | reverse %}
            when {{ microseconds }} >= {{ minutes * 60000000 }} then {{ minutes }}
        {%- endfor %}
        else {{ response_bucket_without_message() }}
    end
{%- endmacro %}
