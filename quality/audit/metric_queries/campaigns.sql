select
    count(*) as campaigns,
    share_of_campaigns(
        count_if(trim(coalesce(body, '')) = '' and media_url is null), campaigns
    ) as without_content_share,
    share_of_campaigns(
        count_if(campaign_type = 'MMS' and media_url is null), count_if(campaign_type = 'MMS')
    ) as mms_without_picture_share,
    share_of_campaigns(count(distinct campaign_name), campaigns) as names_per_campaign
from campaigns as campaign
