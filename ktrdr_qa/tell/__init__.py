"""What is left for people to read: evidence in the report, pictures, summary, console, the HTML report.

It uses whatever has been found out below, and changes nothing of it. A picture is painted in a module of its own (`picture`,
`trend_picture`), by `painter`, and put into the report by `album`; a table or a text is put together in `evidence`.
"""
