"""Why was somebody told, and why not?"""
