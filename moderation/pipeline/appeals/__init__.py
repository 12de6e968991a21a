"""Whoever is restricted objects; somebody else answers.

appeal   somebody else than the first decider upholds or overturns, with reasons
opinion  judged again for an appeal: kept for whoever answers it, without effect
link     what a mail's link to an appeal says, signed
mail     what whoever objected is told by mail
"""
