"""What a report shows: text ready to print and positions ready to draw.

Made by `farm.report.compose` and `farm.report.parts`, laid out by the templates in reports/. Every string may
come from a device or a user: the templates escape it. Positions are fractions 0..1 of their axis.
"""
