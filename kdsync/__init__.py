"""kdsync notices every change of the watched Kingdee documents and tells the right people in DingTalk."""

__version__ = "0.1.0"
