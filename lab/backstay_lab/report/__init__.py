"""The report: results of rehearsals and of the bench, as one page that needs nothing but itself.

results  what a file of results holds, as values
summary  pure: cells of the tables, segments of the timelines
draw     charts, by matplotlib, as SVG
page     the page around them
cli      `backstay report`
"""
