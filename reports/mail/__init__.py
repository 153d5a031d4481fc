"""Reports by e-mail: who gets which report and when (`subscriptions`, `schedule`), what is in a mail (`figures`, `attachments`,
`message`), and how the mail server gets it (`delivery`).

Not here: which mails were sent (`warehouse.ledger`), when Sendmart looks for due ones (`orchestration.stages.report_mail`).
"""
